"""What those outside hear of how the bot is doing: what waits, a line a minute, what a check-up finds."""
