"""Points that sensors see, against every link of an arm. Free of ROS."""
