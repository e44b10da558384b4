"""Training the network of a user's model function with the user's own `fit`.

Internal: it exports nothing.
"""
