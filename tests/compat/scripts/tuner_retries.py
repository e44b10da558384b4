"""max_retries_per_trial: a trial that fails once is tried again."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


class Unreliable(keras_tuner.HyperModel):
    def build(self, hp):
        hp.Int("unused", 1, 9)
        model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        note("training")
        if len(notes("training")) == 1:
            raise RuntimeError("the first training fails")
        return model.fit(*args, **kwargs)


tuner = keras_tuner.RandomSearch(
    Unreliable(),
    "val_accuracy",
    max_trials=2,
    max_retries_per_trial=2,
    directory="results",
    project_name="retries",
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("trainings", len(notes("training")))
fact("states", [trial.status for trial in tuner.oracle.trials.values()])
