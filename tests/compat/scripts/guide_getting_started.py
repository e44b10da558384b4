"""The calls of the guide on getting started: space, search, summaries, models, retraining."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
images = rng.integers(0, 256, (40, 8, 8)).astype("float32")
x = np.expand_dims(images, -1) / 255.0
y = keras.utils.to_categorical(np.arange(40) % 4, 4)
x_train, y_train, x_val, y_val = x[:24], y[:24], x[24:32], y[24:32]


def existing_code(units, activation, dropout, rate):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(units=units, activation=activation))
    if dropout:
        model.add(keras.layers.Dropout(rate=0.25))
    model.add(keras.layers.Dense(4, activation="softmax"))
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def build_model(hp):
    units = hp.Int("units", min_value=8, max_value=64, step=8)
    activation = hp.Choice("activation", ["relu", "tanh"])
    dropout = hp.Boolean("dropout")
    rate = hp.Float("lr", min_value=1e-4, max_value=1e-2, sampling="log")
    return existing_code(units, activation, dropout, rate)


hp = keras_tuner.HyperParameters()
fact("default model", [type(layer).__name__ for layer in build_model(hp).layers])
fact("default values", hp.values)
watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.RandomSearch(
    hypermodel=build_model,
    objective="val_accuracy",
    max_trials=3,
    executions_per_trial=2,
    overwrite=True,
    directory="my_dir",
    project_name="helloworld",
)
tuner.search_space_summary()
tuner.search(
    x_train, y_train, epochs=2, validation_data=(x_val, y_val), callbacks=[watch], verbose=0
)
fact("trainings", len(notes("training")))
models = tuner.get_best_models(num_models=2)
fact("models", [type(model).__name__ for model in models])
models[0].summary()
tuner.results_summary()
best = tuner.get_best_hyperparameters(5)
fact("found", len(best))
model = build_model(best[0])
x_all = np.concatenate((x_train, x_val))
y_all = np.concatenate((y_train, y_val))
history = model.fit(x=x_all, y=y_all, epochs=1, verbose=0)
fact("history", sorted(history.history))
