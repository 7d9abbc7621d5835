"""Reports from the record, and what became of those that were sent."""
