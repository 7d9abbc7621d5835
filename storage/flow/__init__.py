"""Messages and actions on their way, exactly once."""
