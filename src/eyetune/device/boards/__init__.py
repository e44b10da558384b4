"""Board profiles: what each device offers, as data."""
