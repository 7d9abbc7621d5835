"""Databases, opened."""
