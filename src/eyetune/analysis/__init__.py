"""What the numbers mean: metrics, the verdict on a run, comparisons.

Internal: it exports nothing.
"""
