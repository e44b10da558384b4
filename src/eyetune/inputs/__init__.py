"""Files from anywhere: opened if they are regular files, and read within limits.

The modules raise plain errors (`OSError`, `ValueError` and `LimitExceededError`, which is a
ValueError), which readers turn into sentences for their users. Internal: it exports nothing.
"""
