"""Commands for a running graph."""
