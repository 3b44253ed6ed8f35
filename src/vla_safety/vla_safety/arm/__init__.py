"""The shape of a whole arm, and the motion that it leaves room for. Free of ROS."""
