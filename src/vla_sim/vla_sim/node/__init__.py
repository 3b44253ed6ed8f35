"""The ROS side: the lifecycle node `simulator`."""
