"""What reports are made of, and which were sent."""
