"""The command line, a module per command group. Internal: it exports nothing."""
