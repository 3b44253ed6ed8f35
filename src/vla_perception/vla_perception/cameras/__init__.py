"""Pictures: checked, decoded, watched. Free of ROS."""
