"""What around the robot limits its motion: workspace, speed zones, obstacles. Free of ROS."""
