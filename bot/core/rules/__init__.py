"""A message, what was found in it and a policy -> a decision."""
