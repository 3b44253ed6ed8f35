"""Parameters of the safety node: defaults, ranges and meaning. Free of ROS."""
