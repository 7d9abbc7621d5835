"""The command line: a module a command, which declares its own options and imports what it works with when it runs."""
