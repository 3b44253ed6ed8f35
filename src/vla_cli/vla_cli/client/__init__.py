"""What the commands share: a client of the graph, its processes and domain."""
