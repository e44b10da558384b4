"""Networks as an int8 interpreter computes them: folded, equalized, fake-quantized.

Internal: it exports nothing.
"""
