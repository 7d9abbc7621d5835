"""Many at once: raids are noticed, shown as one, and dealt with by one press."""
