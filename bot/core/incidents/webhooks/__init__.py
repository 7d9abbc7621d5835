"""Servers of communities' own that are told of their incidents."""
