"""The table of commands, as people type them on Telegram."""
