"""Models that judge."""
