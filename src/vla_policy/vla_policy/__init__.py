"""From an observation to a chunk of actions: checkpoint, inference backends and the policy node.

`node` and `conversions` need ROS; everything else is free of it.
"""
