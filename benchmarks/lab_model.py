"""The search space of the exercise, as a KerasTuner user writes it, for both tuners."""

import keras


def build_model(hp):  # type: ignore[no-untyped-def]
    """Return the compiled network for hyperparameters."""
    model = keras.Sequential([keras.Input((32, 32, 3))])
    for number in range(hp.Int("conv_layers", 1, 3)):
        filters = hp.Int(f"filters_{number}", 32, 128, step=32)
        model.add(keras.layers.Conv2D(filters, (3, 3), activation="relu"))
        model.add(keras.layers.MaxPooling2D((2, 2)))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(hp.Int("units", 32, 128, step=32), activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(
        optimizer=keras.optimizers.Adam(hp.Choice("learning_rate", [1e-2, 1e-3, 1e-4])),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
