"""Demonstrations from the simulator's scripted experts."""
