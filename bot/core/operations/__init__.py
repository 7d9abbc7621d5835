"""How the bot itself is doing, who hears of it, and who may ask it."""
