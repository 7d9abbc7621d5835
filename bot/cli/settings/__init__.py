"""Commands on what is set: configurations, and policies of communities."""
