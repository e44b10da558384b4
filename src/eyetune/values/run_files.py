"""Names of files in the folder of a run, which training writes and records delete."""

RECIPE_FILE = "recipe.toml"
MODEL_FILE = "model.keras"  # the trained network
COMPILED_FILE = "compiled.keras"  # a user's own, if another one than MODEL_FILE classifies images
WEIGHTS_FILE = "model.weights.h5"  # of a user's own that Keras cannot save otherwise
RANGES_FILE = "int8-ranges.json"
CHECKPOINT_FILE = "checkpoint.npz"
BEST_CHECKPOINT_FILE = "best.npz"

MODEL_FILES = (MODEL_FILE, COMPILED_FILE, WEIGHTS_FILE)  # a trained run has at least one
