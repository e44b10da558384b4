"""max_model_size: trials with too many parameters are not trained."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.linspace(0, 1, 16).reshape(16, 1).astype("float32")
y = 3 * x


def build_model(hp):
    units = hp.Choice("units", [1, 2, 100, 200])
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(units)])
    model.add(keras.layers.Dense(1))
    model.compile("sgd", "mse")
    return model


watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.GridSearch(
    build_model,
    "val_loss",
    max_model_size=50,
    max_consecutive_failed_trials=4,
    directory="results",
    project_name="size",
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("trainings", len(notes("training")))
fact("units", sorted(hp.get("units") for hp in tuner.get_best_hyperparameters(2)))
fact("size", tuner.max_model_size)
