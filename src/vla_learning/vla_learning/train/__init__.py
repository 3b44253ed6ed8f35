"""Behaviour cloning. Most of it needs torch."""
