"""What became of them: how far they got, who looked at them, and what that teaches."""
