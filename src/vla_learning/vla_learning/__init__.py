"""Demonstrations, training, export and evaluation. Importing a module here needs no ROS."""
