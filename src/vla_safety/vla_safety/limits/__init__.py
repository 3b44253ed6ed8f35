"""The limits of a motion, kept in discrete time. Free of ROS."""
