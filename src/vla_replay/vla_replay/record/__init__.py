"""Recording of a running graph."""
