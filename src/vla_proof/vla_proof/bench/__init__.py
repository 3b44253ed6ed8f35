"""Benchmarks: `vla bench NAME`."""
