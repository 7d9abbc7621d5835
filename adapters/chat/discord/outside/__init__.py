"""How this network is with us, asked from outside of a running process."""
