"""Everything that speaks KerasTuner's language."""
