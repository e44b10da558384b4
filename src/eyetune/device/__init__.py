"""What a board offers and what a network needs of it, known before any training.

Internal: it exports nothing.
"""
