"""Other arguments of fit: validation_freq, validation_steps, steps_per_epoch, shuffle."""

# expected: reported: with steps_per_epoch, an epoch of arrays begins a new order of the samples,
#   and does not continue the order of the last epoch
# differing: part of an epoch, batches of part of an epoch
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.arange(12, dtype="float32").reshape(12, 1)
y = np.arange(12, dtype="float32").reshape(12, 1)


def build_model(hp):
    hp.Int("unused", 1, 9)
    layer = keras.layers.Dense(1, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse", run_eagerly=True)
    return model


def logged(name):
    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: note(name, [epoch, sorted(logs), logs["loss"]]),
        on_train_batch_end=lambda batch, logs: note(f"batches of {name}", batch),
        on_test_batch_end=lambda batch, logs: note(f"validation of {name}", batch),
    )


validation = (x[:9], y[:9])
options = {
    "rare validation": {"epochs": 4, "validation_freq": 2, "validation_data": validation},
    "large batches": {"validation_batch_size": 9, "validation_data": validation},
    "few steps": {
        "epochs": 3,
        "validation_steps": 2,
        "validation_data": validation,
        "batch_size": 4,
    },
    "part of an epoch": {"steps_per_epoch": 2, "batch_size": 4, "shuffle": False, "epochs": 2},
}
for name, arguments in options.items():
    tuner = keras_tuner.RandomSearch(
        build_model, "loss", max_trials=1, directory="results", project_name=name
    )
    tuner.search(x, y, **arguments, callbacks=[logged(name)], verbose=0)
    fact(name, notes(name))
    fact(f"batches of {name}", notes(f"batches of {name}"))
    fact(f"validation of {name}", notes(f"validation of {name}"))
