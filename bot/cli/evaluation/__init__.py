"""Labelled data and a guard -> how well the guard judges: tables, JSON, Markdown, a picture; and its calibration."""
