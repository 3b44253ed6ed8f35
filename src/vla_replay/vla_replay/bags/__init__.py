"""Recorded bags of every kind, read in one way."""
