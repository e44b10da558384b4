"""Values that training, records, analysis and reports share; they need NumPy at most.

Internal: it exports nothing.
"""
