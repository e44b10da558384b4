"""Pictures and reports, from records and plain values alone."""
