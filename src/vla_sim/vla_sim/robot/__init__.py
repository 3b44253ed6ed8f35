"""The simulated robot: MuJoCo, its driver, its pictures. Free of ROS."""
