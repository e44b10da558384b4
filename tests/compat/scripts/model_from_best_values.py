"""The usual end of a script: build with the best values, train on all data."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 8, 8, 3)).astype("float32")
y = keras.utils.to_categorical(np.arange(24) % 3, 3)


def build_model(hp):
    model = keras.Sequential([keras.Input((8, 8, 3))])
    model.add(keras.layers.Conv2D(hp.Int("filters", 2, 6, step=2), 3, activation="relu"))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(3, activation="softmax"))
    rate = hp.Choice("learning_rate", [1e-2, 1e-3])
    model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.RandomSearch(
    build_model, objective="val_accuracy", max_trials=2, directory="results", project_name="best"
)
tuner.search(x, y, epochs=1, validation_split=0.25, verbose=0)
best = tuner.get_best_hyperparameters(num_trials=1)[0]
model = tuner.hypermodel.build(best)
fact("filters", model.layers[0].filters == best.get("filters"))
fact("rate", bool(np.isclose(float(model.optimizer.learning_rate), best.get("learning_rate"))))
history = model.fit(x, y, epochs=2, validation_split=0.2, verbose=0)
fact("history", sorted(history.history))
fact("epochs", len(history.epoch))
fact("space", [[type(entry).__name__, entry.name] for entry in best.space])
fact("in space", "filters" in best and "units" not in best)
