"""A bag through the graph, in lock-step or in its own time."""
