"""BayesianOptimization with positional arguments: initial points, alpha, beta, seed."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60), activation="relu"))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.BayesianOptimization(
    build_model, "val_accuracy", 5, 3, 1e-3, 2.0, 7, directory="results", project_name="bayesian"
)
tuner.search(x, y, epochs=1, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("trainings", len(notes("training")))
fact("found", len(tuner.get_best_hyperparameters(10)))
fact("remaining", tuner.remaining_trials)
