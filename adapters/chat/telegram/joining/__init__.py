"""A group's door on Telegram: who asks to come in is asked something first, who has just come may not do everything."""
