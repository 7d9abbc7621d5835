"""What moderators ask of the bot, the same on every network."""
