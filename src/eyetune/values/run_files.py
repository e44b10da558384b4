"""The names of the files in a run's folder, which training writes and records delete."""

MODEL_FILE = "model.keras"
CHECKPOINT_FILE = "checkpoint.npz"
BEST_CHECKPOINT_FILE = "best.npz"
