"""Stand-in for ROS 2's Python message_filters, for environments whose ROS comes from wheels.

It has what the nodes use: matching by approximate time. Names and results are those of the package
of Humble and Jazzy.
"""

from .synchronizer import ApproximateTimeSynchronizer, SimpleFilter

__all__ = ["ApproximateTimeSynchronizer", "SimpleFilter"]
