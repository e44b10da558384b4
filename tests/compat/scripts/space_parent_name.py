"""parent_name and parent_values make a hyperparameter conditional without a scope."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def build_model(hp):
    optimizer = hp.Choice("optimizer", ["adam", "sgd"])
    momentum = hp.Choice("momentum", [0.5, 0.9], parent_name="optimizer", parent_values=["sgd"])
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    if optimizer == "sgd":
        optimizer = keras.optimizers.SGD(momentum=momentum)
    model.compile(
        optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True
    )
    return model


tuner = keras_tuner.GridSearch(
    build_model, "val_accuracy", directory="results", project_name="parents"
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("values", distinct([hp.values for hp in tuner.get_best_hyperparameters(9)]))
