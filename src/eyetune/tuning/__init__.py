"""Many trainings: jobs, the workers that run them, and the records of their results.

Internal: it exports nothing.
"""
