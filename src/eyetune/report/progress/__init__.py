"""Live progress on a terminal and in a notebook."""
