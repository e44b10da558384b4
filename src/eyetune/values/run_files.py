"""Names of files in the folder of a run, which training writes and records delete."""

MODEL_FILE = "model.keras"
CHECKPOINT_FILE = "checkpoint.npz"
BEST_CHECKPOINT_FILE = "best.npz"
