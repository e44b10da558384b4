"""The environment of a chief and its worker, as for searches on several machines."""

# expected: refused: a process trains several trials at a time instead: workers=4
import os
import subprocess
import sys

import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


is_chief = os.environ.get("KERASTUNER_TUNER_ID") == "chief"
if not is_chief:
    os.environ["KERASTUNER_ORACLE_IP"] = "127.0.0.1"
    os.environ["KERASTUNER_ORACLE_PORT"] = str(20000 + os.getpid() % 20000)
    os.environ["KERASTUNER_TUNER_ID"] = "tuner0"
    changes = {
        "KERASTUNER_TUNER_ID": "chief",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    chief = subprocess.Popen([sys.executable, sys.argv[0]], env=os.environ | changes)

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2
watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=3, directory="results", project_name="distributed"
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
if not is_chief:
    fact("exit status of the chief", chief.wait(timeout=200))
    fact("trainings", len(notes("training")))
