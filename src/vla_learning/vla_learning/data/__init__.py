"""Datasets of demonstrations: LeRobot's format, read and written."""
