"""Updates -> messages."""
