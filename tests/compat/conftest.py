"""Keeps pytest away from the scripts, which `make compat` runs."""

collect_ignore = ["scripts"]
