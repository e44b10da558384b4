"""The calls of the guide on tuning the training: HyperModel.fit, shuffle, data in fit."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 8, 8, 1)).astype("float32")
y = keras.utils.to_categorical(np.arange(24) % 4, 4)


class MyHyperModel(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
        units = hp.Int("units", min_value=8, max_value=64, step=8)
        model.add(keras.layers.Dense(units=units, activation="relu"))
        model.add(keras.layers.Dense(4, activation="softmax"))
        model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, x, y, validation_data=None, **kwargs):
        if hp.Boolean("normalize"):
            x = keras.layers.Normalization(axis=None, mean=0.5, variance=0.1)(x)
        note("arguments", sorted(kwargs))
        return model.fit(
            x,
            y,
            validation_data=validation_data,
            shuffle=hp.Boolean("shuffle"),
            **kwargs,
        )


hp = keras_tuner.HyperParameters()
hypermodel = MyHyperModel()
model = hypermodel.build(hp)
hypermodel.fit(hp, model, np.ones((8, 8, 8, 1)), np.ones((8, 4)), verbose=0)
fact("values", hp.values)
fact("arguments", distinct(notes("arguments")))
tuner = keras_tuner.RandomSearch(
    MyHyperModel(),
    objective="val_accuracy",
    max_trials=3,
    overwrite=True,
    directory="my_dir",
    project_name="tune_hypermodel",
)
tuner.search(x[:16], y[:16], epochs=2, validation_data=(x[16:], y[16:]), verbose=0)
best = tuner.get_best_hyperparameters()[0]
fact("names", sorted(best.values))
model = hypermodel.build(best)
hypermodel.fit(best, model, x, y, epochs=1, verbose=0)
fact("metrics", sorted(model.evaluate(x, y, verbose=0, return_dict=True)))
