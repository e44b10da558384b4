"""GridSearch of a conditional space tries the values of active hyperparameters only."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


def build_model(hp):
    kind = hp.Choice("kind", ["flat", "pooled"])
    model = keras.Sequential([keras.Input((4, 4, 3))])
    with hp.conditional_scope("kind", ["flat"]):
        if kind == "flat":
            model.add(keras.layers.Flatten())
            model.add(keras.layers.Dense(hp.Choice("units", [2, 3])))
    with hp.conditional_scope("kind", ["pooled"]):
        if kind == "pooled":
            model.add(keras.layers.GlobalAveragePooling2D())
            model.add(keras.layers.Dropout(hp.Choice("rate", [0.1, 0.2, 0.3])))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.GridSearch(
    build_model, "val_accuracy", directory="results", project_name="grid"
)
tuner.search(x, y, epochs=1, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("trainings", len(notes("training")))
fact("values", distinct([hp.values for hp in tuner.get_best_hyperparameters(100)]))
