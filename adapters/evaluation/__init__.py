"""Labelled data in, pictures out."""
