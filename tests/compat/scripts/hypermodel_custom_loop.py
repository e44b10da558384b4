"""A training loop of the script's own in HyperModel.fit, which calls the callbacks itself."""

# expected: same
import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.normal(0, 1, (20, 3)).astype("float32")
y = x.sum(axis=1, keepdims=True)


class Loop(keras_tuner.HyperModel):
    def build(self, hp):
        hp.Int("unused", 1, 9)
        return keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")]
        )

    def fit(self, hp, model, x, y, validation_data, callbacks=None, **kwargs):
        optimizer = keras.optimizers.SGD(0.1)
        for callback in callbacks:
            callback.set_model(model)
        best = float("inf")
        for epoch in range(2):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            x_val, y_val = validation_data
            error = float(tf.reduce_mean(tf.square(model(x_val) - y_val)))
            note("error", error)
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"my_metric": error})
            best = min(best, error)
        return best


tuner = keras_tuner.RandomSearch(
    Loop(),
    objective=keras_tuner.Objective("my_metric", "min"),
    max_trials=2,
    directory="results",
    project_name="loop",
)
tuner.search(x, y, validation_data=(x, y))
fact("errors", notes("error"))
fact("score", tuner.oracle.get_best_trials()[0].score)
model = tuner.get_best_models()[0]
fact("model", float(np.mean((model.predict(x, verbose=0) - y) ** 2)))
