"""The best model can be saved, loaded again, and predicts the same."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (20, 4, 4, 3)).astype("float32")
y = np.arange(20) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 5), activation="relu"))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=1, directory="results", project_name="saved"
)
tuner.search(x, y, epochs=1, validation_data=(x, y), verbose=0)
model = tuner.get_best_models()[0]
model.save("best.keras")
loaded = keras.models.load_model("best.keras")
difference = np.abs(model.predict(x, verbose=0) - loaded.predict(x, verbose=0)).max()
fact("is the same", bool(difference < 1e-5))
fact("is compiled", loaded.compiled)
fact("metrics", sorted(loaded.evaluate(x, y, verbose=0, return_dict=True)))
