"""The command line, one command or a family of them a file."""
