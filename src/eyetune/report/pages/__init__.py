"""HTML pages, each one file that opens offline. Internal: it exports nothing."""
