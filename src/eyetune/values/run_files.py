"""Names of files in the folder of a run, which training writes and records delete."""

MODEL_FILE = "model.keras"
RANGES_FILE = "int8-ranges.json"
CHECKPOINT_FILE = "checkpoint.npz"
BEST_CHECKPOINT_FILE = "best.npz"
