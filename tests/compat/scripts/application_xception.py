"""HyperXception with small ranges preset: a training, and the best model."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (8, 16, 16, 3)).astype("float32")
y = keras.utils.to_categorical(np.arange(8) % 2, 2)
known = keras_tuner.HyperParameters()
known.Fixed("num_residual_blocks", 2)
known.Fixed("sep_num_filters", 128)
known.Fixed("conv2d_num_filters", 32)
hypermodel = keras_tuner.applications.HyperXception(input_shape=(16, 16, 3), classes=2)
tuner = keras_tuner.RandomSearch(
    hypermodel,
    objective="val_accuracy",
    hyperparameters=known,
    max_trials=1,
    directory="results",
    project_name="xception",
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
best = tuner.get_best_hyperparameters()[0]
fact("names", sorted(name for name in best.values if name != "pooling"))
fact("predictions", list(tuner.get_best_models()[0].predict(x, verbose=0).shape))
