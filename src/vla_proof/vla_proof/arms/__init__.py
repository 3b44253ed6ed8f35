"""Hostile joint commands for whole arms, and a judge of contacts that the guard does not use."""
