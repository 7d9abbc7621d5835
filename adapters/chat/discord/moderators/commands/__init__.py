"""The table of commands, as Discord knows them: slash commands and entries in the menu of a message."""
