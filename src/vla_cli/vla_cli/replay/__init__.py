"""`vla replay`: recorded bags through the graph."""
