"""Exchanges -> the shared queue -> what guards find in them."""
