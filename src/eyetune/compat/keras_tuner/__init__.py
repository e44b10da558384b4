"""Everything that speaks KerasTuner's language. Internal: it exports nothing."""
