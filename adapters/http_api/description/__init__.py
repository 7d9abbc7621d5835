"""The API described by itself, for programs and for people."""
