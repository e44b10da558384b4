"""A batched tf.data.Dataset for training and another one for validation."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.normal(0, 1, (30, 4)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
train = tf.data.Dataset.from_tensor_slices((x[:20], y[:20])).batch(8)
validation = tf.data.Dataset.from_tensor_slices((x[20:], y[20:])).batch(8)


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    model = keras.Sequential([keras.Input((4,))])
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer=initializer))
    model.compile(
        keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: note("logs", logs),
    on_train_batch_end=lambda batch, logs: note("batch", batch),
)
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="dataset"
)
tuner.search(train, epochs=2, validation_data=validation, callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
fact("batches", notes("batch"))
fact("evaluation", tuner.get_best_models()[0].evaluate(validation, verbose=0))
