"""A HyperParameters object outside of a search: values, get, contains, copy, config."""

# expected: same
import keras_tuner
from facts import fact

hp = keras_tuner.HyperParameters()
fact("int", hp.Int("a", 2, 8, step=2))
fact("float", hp.Float("b", 0.5, 1.0, default=0.75))
fact("choice", hp.Choice("c", ["x", "y"]))
fact("boolean", hp.Boolean("d"))
fact("fixed", hp.Fixed("e", "constant"))
with hp.conditional_scope("c", ["y"]):
    fact("inactive", hp.Int("f", 1, 3))
fact("values", hp.values)
fact("again", hp.Int("a", 2, 8, step=2))
hp.values["a"] = 6
fact("changed", [hp.get("a"), hp["a"], hp.Int("a", 2, 8, step=2)])
fact("contains", ["a" in hp, "f" in hp, "z" in hp])
copy = hp.copy()
copy.values["a"] = 4
fact("copy", [hp.get("a"), copy.get("a")])
again = keras_tuner.HyperParameters.from_config(hp.get_config())
fact("config", again.values)
errors = []
for name in ("f", "z"):
    try:
        hp.get(name)
    except (KeyError, ValueError) as error:
        errors.append(type(error).__name__)
fact("errors", errors)
fact("space", [type(entry).__name__ for entry in hp.space])
