"""The graph at work for an hour: `vla prove soak`."""
