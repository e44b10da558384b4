"""Will a network fit a board? Flash, tensor arena, latency and operators, before any training.

Internal: it exports nothing.
"""
