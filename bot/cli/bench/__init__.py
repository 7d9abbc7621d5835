"""Benchmarks that users can run, too."""
