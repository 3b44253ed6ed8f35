"""What is watched: silence, clocks, faults; and the states that follow. Free of ROS."""
