"""Gateway events -> messages."""
