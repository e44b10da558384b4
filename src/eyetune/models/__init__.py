"""Networks: building them in Keras, and reading off what they are made of."""
