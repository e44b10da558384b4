"""A cross-validation in HyperModel.fit: networks of its own for each fold, and the mean."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.arange(12, dtype="float32").reshape(12, 1)
y = np.repeat([1.0, 2.0, 6.0], 4).astype("float32").reshape(12, 1)


class CrossValidation(keras_tuner.HyperModel):
    def build(self, hp):
        hp.Int("unused", 1, 9)
        layer = keras.layers.Dense(1, kernel_initializer="zeros")
        layer.trainable = False
        model = keras.Sequential([keras.Input((1,)), layer, keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.5), "mse", run_eagerly=True)
        return model

    def fit(self, hp, model, x, y, callbacks=None, **kwargs):
        losses = []
        for fold in range(3):
            model = self.build(hp)
            is_validation = np.arange(12) // 4 == fold
            history = model.fit(
                x[~is_validation],
                y[~is_validation],
                validation_data=(x[is_validation], y[is_validation]),
                callbacks=callbacks,
                shuffle=False,
                **kwargs,
            )
            losses.append(history.history["val_loss"][-1])
            note("bias", float(model.get_weights()[-1][0]))
        note("loss", float(np.mean(losses)))
        return {"val_loss": float(np.mean(losses))}


tuner = keras_tuner.RandomSearch(
    CrossValidation(), "val_loss", max_trials=1, directory="results", project_name="folds"
)
tuner.search(x, y, epochs=1, batch_size=8, verbose=0)
trial = tuner.oracle.get_best_trials()[0]
fact("score", bool(np.isclose(trial.score, notes("loss")[0])))
fact("metric", trial.metrics.get_best_value("val_loss") == trial.score)
bias = float(tuner.get_best_models()[0].get_weights()[-1][0])
fact("fold of the network", [bool(np.isclose(bias, each)) for each in notes("bias")])
