"""Labelled exchanges and scores -> how good a guard is."""
