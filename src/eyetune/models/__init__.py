"""Networks: how they are built in Keras, and what they consist of. Internal: it exports nothing."""
