"""Planned actions -> the Bot API."""
