"""From a trained network to a verified int8 model and onto a board.

Internal: it exports nothing.
"""
