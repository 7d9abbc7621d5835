"""Chat networks, a package each."""
