"""GridSearch without max_trials tries every combination once."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 6, step=2)))
    model.add(keras.layers.Dense(2, activation=hp.Choice("last", ["softmax", "sigmoid"])))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.GridSearch(
    build_model, "val_accuracy", directory="results", project_name="grid"
)
tuner.search(x, y, epochs=1, validation_data=(x, y), callbacks=[watch], verbose=0)
found = tuner.get_best_hyperparameters(100)
fact("trainings", len(notes("training")))
fact("values", distinct([hp.values for hp in found]))
