"""Live progress in a terminal and in a notebook. Internal: it exports nothing."""
