"""Serves the page: who may see it and who may act, one WebSocket for each viewer. Free of ROS."""
