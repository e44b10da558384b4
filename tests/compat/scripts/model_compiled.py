"""The best model is compiled as the script did it: loss, optimizer, metrics, input shape."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 6, 6, 3)).astype("float32")
y = keras.utils.to_categorical(np.arange(24) % 3, 3)


def build_model(hp):
    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 6), activation="relu"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    model.compile(keras.optimizers.RMSprop(0.02), "categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=2, directory="results", project_name="compiled"
)
tuner.search(x[:16], y[:16], epochs=2, validation_data=(x[16:], y[16:]), verbose=0)
model = tuner.get_best_models(num_models=1)[0]
fact("loss", str(model.loss))
fact("optimizer", type(model.optimizer).__name__)
fact("rate", float(model.optimizer.learning_rate))
fact("input shape", list(model.input_shape))
fact("output shape", list(model.output_shape))
fact("layers", [type(layer).__name__ for layer in model.layers])
measured = model.evaluate(x[16:], y[16:], verbose=0, return_dict=True)
fact("metrics", sorted(measured))
fact("predictions", list(model.predict(x[:5], verbose=0).shape))
history = model.fit(x, y, epochs=1, verbose=0)
fact("trained", sorted(history.history))
