"""HyperResNet with a small version preset: the space, and one training."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (8, 32, 32, 3)).astype("float32")
y = keras.utils.to_categorical(np.arange(8) % 2, 2)
known = keras_tuner.HyperParameters()
known.Fixed("version", "v2")
known.Fixed("conv3_depth", 4)
known.Fixed("conv4_depth", 6)
known.Choice("learning_rate", [0.01, 0.001])
watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.RandomSearch(
    keras_tuner.applications.HyperResNet(input_shape=(32, 32, 3), classes=2),
    objective="val_accuracy",
    hyperparameters=known,
    tune_new_entries=False,
    max_trials=1,
    directory="results",
    project_name="resnet",
)
tuner.search(x, y, validation_data=(x, y), batch_size=4, callbacks=[watch], verbose=0)
fact("trainings", len(notes("training")))
best = tuner.get_best_hyperparameters()[0]
fact("names", sorted(best.values))
fact("depth", best.get("conv4_depth"))
