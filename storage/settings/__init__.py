"""What was set, by whom; keys and bookmarks."""
