"""Tasks, scenes and scripted experts. Free of ROS."""
