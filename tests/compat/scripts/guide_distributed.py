"""The calls of the guide on distributed tuning, on one machine: a MirroredStrategy."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (32, 8, 8, 1)).astype("float32")
y = np.arange(32) % 4


def build_model(hp):
    inputs = keras.Input(shape=(8, 8, 1))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(units=hp.Int("units", 8, 64, step=8), activation="relu")(x)
    x = keras.layers.Dropout(hp.Float("dropout", 0, 0.5, step=0.1, default=0.5))(x)
    outputs = keras.layers.Dense(4, activation="softmax")(x)
    model = keras.Model(inputs, outputs)
    model.compile(
        optimizer=keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.RandomSearch(
    hypermodel=build_model,
    objective="val_accuracy",
    max_trials=2,
    distribution_strategy=tf.distribute.MirroredStrategy(["/cpu:0"]),
    directory="results_dir",
    project_name="mnist",
    overwrite=True,
)
tuner.search(
    x,
    y,
    batch_size=16,
    steps_per_epoch=2,
    validation_data=(x, y),
    validation_steps=1,
    callbacks=[keras.callbacks.EarlyStopping("val_accuracy"), watch],
    verbose=0,
)
fact("trainings", len(notes("training")))
fact("names", sorted(tuner.get_best_hyperparameters()[0].values))
