"""Obstacles in range data: sources, footprint, zones, time to collision. Free of ROS."""
