"""The SO-101 arm: its table, its tasks, its expert. Free of ROS."""
