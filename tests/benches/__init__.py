"""Measurements that are no tests."""
