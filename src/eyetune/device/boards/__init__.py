"""Board profiles: what each device offers, as data. Internal: it exports nothing."""
