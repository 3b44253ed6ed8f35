"""Demonstrations from recorded bags."""
