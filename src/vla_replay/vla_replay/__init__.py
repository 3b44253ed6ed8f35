"""Replays recorded bags through the VLA graph, and compares what it decides."""
