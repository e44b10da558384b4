"""What a user calls and holds: a module per noun with its verbs. The names are exported by
`eyetune`.
"""
