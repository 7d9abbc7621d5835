"""The record -> reports, when they are due, and on their way."""
