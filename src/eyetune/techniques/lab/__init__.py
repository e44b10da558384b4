"""The lab: every technique compared with the baseline, the best ones combined."""
