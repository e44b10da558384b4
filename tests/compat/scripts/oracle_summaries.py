"""results_summary, search_space_summary and Trial.summary print the names and the score."""

# expected: same
# budget: small
import contextlib
import io

import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    rate = hp.Choice("rate", [0.1, 0.01])
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def printed(function, *arguments, **settings):
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        function(*arguments, **settings)
    return stream.getvalue()


tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=2, directory="results", project_name="summaries"
)
space = printed(tuner.search_space_summary)
fact(
    "space",
    ["Search space summary" in space, "size: 2" in space, "units" in space, "rate" in space],
)
fact("extended", "units" in printed(tuner.search_space_summary, extended=True))
tuner.search(x, y, validation_data=(x, y), verbose=0)
results = printed(tuner.results_summary)
fact("results", ["Results summary" in results, "units" in results, "rate" in results])
fact("trials", results.count("units"))
fact("one trial", printed(tuner.results_summary, 1).count("units"))
trial = tuner.oracle.get_best_trials()[0]
summary = printed(trial.summary)
fact("trial", ["units" in summary, "rate" in summary, str(trial.score)[:6] in summary])
