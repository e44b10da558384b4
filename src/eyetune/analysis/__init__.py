"""What the figures mean: metrics, the verdict on a run, comparisons."""
