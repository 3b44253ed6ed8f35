"""From an observation to a chunk, without ROS."""
