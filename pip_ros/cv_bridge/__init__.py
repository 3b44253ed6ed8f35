"""Stand-in for ROS 2's Python cv_bridge, for environments whose ROS comes from wheels.

The same names, results and errors as the package of Humble and Jazzy for what a node uses: image
messages to and from arrays, raw and compressed, with its colour conversions.
"""

from .bridge import CvBridge
from .colors import cvtColor2
from .encodings import CvBridgeError, getCvType

__all__ = ["CvBridge", "CvBridgeError", "cvtColor2", "getCvType"]
