"""The operator's page: what the robot sees and does in a browser, and a hand to drive it.

`node`, `graph_link` and `console_conversions` need ROS; everything else is free of it. What
serves the page is in `server`, the page itself in `page`.
"""
