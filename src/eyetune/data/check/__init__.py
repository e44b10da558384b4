"""What a check of data reads and compares: pictures, their hashes, and copies among them.

Internal: it exports nothing.
"""
