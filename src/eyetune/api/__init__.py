"""What a user calls and holds, a module per noun with its verbs.

The package `eyetune` exports its public names; this one exports nothing.
"""
