"""What chat bots wrote."""
