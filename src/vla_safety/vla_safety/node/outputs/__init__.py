"""What leaves the safety node: commands of the robot, and what is said about them."""
