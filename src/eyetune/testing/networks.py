"""Networks of many kinds to test estimates on: each number gives another one, always the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

NUM_RANDOM_NETWORKS = 40
_SIDES = (12, 16, 20, 24, 28, 32, 40, 48, 64)  # pixels
_FILTERS = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48)
_ACTIVATIONS = (
    *("relu",) * 6,
    *("relu6",) * 3,
    "leaky_relu",
    "hard_swish",
    "swish",
    "tanh",
    "sigmoid",
    "elu",
)


def random_network(number: int) -> keras.Model:
    """Return an untrained image classifier that a number determines.

    Its images, blocks, activations and head are drawn at random: plain, grouped, dilated, large,
    flat and transposed convolutions, depthwise and inverted ones, residual sums, concatenations,
    squeeze-and-excite, several kinds of pooling and padding, and resizing.

    Args:
        number: Any integer; `NUM_RANDOM_NETWORKS` of them, from 0 on, were measured.

    Example:
        >>> random_network(0).count_params() == random_network(0).count_params()
        True
    """
    import keras

    # The counters in layer names change the order of operators. Freeing memory takes 0.2 s.
    keras.utils.clear_session(free_memory=False)
    return _Builder(random.Random(f"network {number}")).build(number)


class _Builder:
    """Builds one network."""

    def __init__(self, generator: random.Random) -> None:
        self._random = generator
        self._activation = generator.choice(_ACTIVATIONS)
        self._has_batch_norm = generator.random() < 0.6

    def build(self, number: int) -> keras.Model:
        import keras
        from keras import layers

        height = self._random.choice(_SIDES)
        width = height if self._random.random() < 0.8 else self._random.choice(_SIDES)
        images = layers.Input((height, width, self._random.choice((1, 3))))
        values = self._convolved(images, self._filters(), size=self._random.choice((3, 3, 5)))
        blocks = (
            self._plain,
            self._separable,
            self._inverted,
            self._residual,
            self._branches,
            self._dense,
            self._excited,
            self._grouped,
            self._dilated,
            self._flat,
            self._pooled,
            self._padded,
            self._resized,
        )
        for _ in range(self._random.randint(2, 5)):
            values = self._random.choice(blocks)(values)
            if min(values.shape[1:3]) > 8:
                values = self._smaller(values)
        return keras.Model(images, self._head(values), name=f"network{number}")

    def _filters(self) -> int:
        return self._random.choice(_FILTERS)

    def _finished(self, values: Any) -> Any:
        from keras import layers

        if self._has_batch_norm:
            values = layers.BatchNormalization()(values)
        return layers.Activation(self._activation)(values)

    def _convolved(self, values: Any, filters: int, *, size: Any = 3, **options: Any) -> Any:
        from keras import layers

        options = {"padding": "same", "use_bias": not self._has_batch_norm, **options}
        return self._finished(layers.Conv2D(filters, size, **options)(values))

    def _smaller(self, values: Any) -> Any:
        from keras import layers

        match self._random.randrange(4):
            case 0:
                return layers.AveragePooling2D(2)(values)
            case 1:
                return layers.MaxPooling2D(3, strides=2, padding="same")(values)
            case 2:
                return self._convolved(values, self._filters(), strides=2)
            case _:
                return layers.MaxPooling2D()(values)

    def _plain(self, values: Any) -> Any:
        size = self._random.choice((1, 2, 3, 3, 5))
        return self._convolved(values, self._filters(), size=size)

    def _separable(self, values: Any) -> Any:
        from keras import layers

        options = {"padding": "same", "strides": self._random.choice((1, 2))}
        values = self._finished(layers.DepthwiseConv2D(3, **options)(values))
        return self._convolved(values, self._filters(), size=1)

    def _inverted(self, values: Any) -> Any:
        from keras import layers

        channels = values.shape[-1]
        wide = self._convolved(values, self._random.choice((2, 3, 6)) * channels, size=1)
        size = self._random.choice((3, 3, 5))
        wide = self._finished(layers.DepthwiseConv2D(size, padding="same")(wide))
        narrow = layers.Conv2D(channels, 1)(wide)
        return layers.Add()([values, narrow])

    def _residual(self, values: Any) -> Any:
        from keras import layers

        filters = self._filters()
        inner = self._convolved(self._convolved(values, filters), filters)
        shortcut = layers.Conv2D(filters, 1)(values)
        return layers.Activation(self._activation)(layers.Add()([inner, shortcut]))

    def _branches(self, values: Any) -> Any:
        from keras import layers

        first = self._convolved(values, self._filters(), size=1)
        second = self._convolved(self._convolved(values, self._filters(), size=1), 8)
        pooled = layers.MaxPooling2D(3, strides=1, padding="same")(values)
        return layers.Concatenate()([first, second, pooled])

    def _dense(self, values: Any) -> Any:
        from keras import layers

        for _ in range(2):
            values = layers.Concatenate()([values, self._convolved(values, 8)])
        return values

    def _excited(self, values: Any) -> Any:
        from keras import layers

        channels = values.shape[-1]
        weights = layers.GlobalAveragePooling2D(keepdims=True)(values)
        weights = layers.Conv2D(max(4, channels // 4), 1, activation="relu")(weights)
        weights = layers.Conv2D(channels, 1, activation="sigmoid")(weights)
        return layers.Multiply()([values, weights])

    def _grouped(self, values: Any) -> Any:
        values = self._convolved(values, 16, size=1)
        return self._convolved(values, 16, groups=self._random.choice((2, 4)))

    def _dilated(self, values: Any) -> Any:
        return self._convolved(values, self._filters(), dilation_rate=2)

    def _flat(self, values: Any) -> Any:
        return self._convolved(self._convolved(values, 12, size=(1, 5)), 12, size=(5, 1))

    def _pooled(self, values: Any) -> Any:
        from keras import layers

        values = layers.AveragePooling2D(2, strides=1, padding="same")(values)
        return self._convolved(values, self._filters(), padding="same")

    def _padded(self, values: Any) -> Any:
        from keras import layers

        values = layers.ZeroPadding2D(((0, 1), (1, 2)))(values)
        return self._convolved(values, self._filters(), padding="valid")

    def _resized(self, values: Any) -> Any:
        from keras import layers

        if max(values.shape[1:3]) > 24:
            return self._plain(values)
        if self._random.random() < 0.5:
            return layers.UpSampling2D(interpolation="bilinear")(values)
        options = {"strides": 2, "padding": "same"}
        return self._finished(layers.Conv2DTranspose(self._filters(), 3, **options)(values))

    def _head(self, values: Any) -> Any:
        from keras import layers

        match self._random.randrange(4):
            case 0:
                values = layers.Flatten()(values)
                values = layers.Dense(self._random.choice((16, 32)), activation="relu")(values)
            case 1:
                values = layers.GlobalMaxPooling2D()(values)
            case _:
                values = layers.GlobalAveragePooling2D()(values)
        classes = self._random.choice((2, 3, 5, 10, 20, 100))
        return layers.Dense(classes, activation="softmax")(values)
