"""What is asked of the robot: chunks, the command that may move it, teleoperation. Free of ROS."""
