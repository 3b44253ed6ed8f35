"""Stand-in for ROS 2's Python cv_bridge, for environments whose ROS comes from wheels.

It has what the nodes use: images of 8 bits a channel to bgr8. Names, results and errors are those
of the package of Humble and Jazzy.
"""

from .bridge import CvBridge, CvBridgeError

__all__ = ["CvBridge", "CvBridgeError"]
