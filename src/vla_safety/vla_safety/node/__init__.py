"""The ROS side: the lifecycle node `safety`, its messages, and the recorder of stops."""
