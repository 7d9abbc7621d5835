"""What is asked -> what the community's rules make of it, at once or while it grows."""
