"""Incidents and what people said to them."""
