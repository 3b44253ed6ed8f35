"""Cameras and robot state put together as one observation."""
