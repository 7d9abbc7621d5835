"""When communities want which report, and how each gets there once."""
