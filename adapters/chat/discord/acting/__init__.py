"""Planned actions -> Discord."""
