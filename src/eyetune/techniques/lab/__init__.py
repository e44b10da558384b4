"""The lab: every technique compared with the baseline, and the best ones combined.

Internal: it exports nothing.
"""
