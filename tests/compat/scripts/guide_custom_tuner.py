"""The calls of the guide on custom training loops: data, metrics and steps in HyperModel.fit."""

# expected: same
import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from facts import fact, note, notes

rng = np.random.default_rng(0)
x_train = rng.uniform(0, 1, (32, 6, 6, 1)).astype("float32")
y_train = rng.integers(0, 4, (32, 1))


class MyHyperModel(keras_tuner.HyperModel):
    def build(self, hp):
        inputs = keras.Input(shape=(6, 6, 1))
        x = keras.layers.Flatten()(inputs)
        x = keras.layers.Dense(hp.Choice("units", [8, 16, 24]), activation="relu")(x)
        return keras.Model(inputs=inputs, outputs=keras.layers.Dense(4)(x))

    def fit(self, hp, model, x, y, validation_data, callbacks=None, **kwargs):
        batch_size = hp.Int("batch_size", 8, 16, step=8, default=8)
        train_ds = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch_size)
        validation_ds = tf.data.Dataset.from_tensor_slices(validation_data).batch(batch_size)
        optimizer = keras.optimizers.Adam(
            hp.Float("learning_rate", 1e-4, 1e-2, sampling="log", default=1e-3)
        )
        loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        epoch_loss_metric = keras.metrics.Mean()

        def run_train_step(images, labels):
            with tf.GradientTape() as tape:
                loss = loss_fn(labels, model(images))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

        def run_val_step(images, labels):
            epoch_loss_metric.update_state(loss_fn(labels, model(images)))

        for callback in callbacks:
            callback.set_model(model)
        best_epoch_loss = float("inf")
        for epoch in range(2):
            for images, labels in train_ds:
                run_train_step(images, labels)
            for images, labels in validation_ds:
                run_val_step(images, labels)
            epoch_loss = float(epoch_loss_metric.result().numpy())
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"my_metric": epoch_loss})
            epoch_loss_metric.reset_state()
            best_epoch_loss = min(best_epoch_loss, epoch_loss)
        note("loss", best_epoch_loss)
        return best_epoch_loss


tuner = keras_tuner.RandomSearch(
    objective=keras_tuner.Objective("my_metric", "min"),
    max_trials=2,
    hypermodel=MyHyperModel(),
    directory="results",
    project_name="custom_training",
    overwrite=True,
)
tuner.search(x=x_train, y=y_train, validation_data=(x_train, y_train))
best_hps = tuner.get_best_hyperparameters()[0]
fact("names", sorted(best_hps.values))
best = tuner.oracle.get_best_trials()[0]
fact("score", bool(np.isclose(best.score, min(notes("loss")), atol=1e-5)))
best_model = tuner.get_best_models()[0]
fact("outputs", list(best_model.output_shape))
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
predictions = best_model.predict(x_train, verbose=0)
fact("layers", len(best_model.layers))
fact("loss is near", abs(float(loss_fn(y_train, predictions)) - best.score) < 0.05)
