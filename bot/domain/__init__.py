"""Pure values and functions: no async, no clock, no I/O."""
