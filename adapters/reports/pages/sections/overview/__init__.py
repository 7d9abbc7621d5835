"""The whole period at a glance."""
