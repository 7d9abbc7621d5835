"""Reports as people see them, and when they ring."""
