"""Success of a policy in closed loop, without a graph."""
