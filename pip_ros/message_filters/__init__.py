"""Stand-in for ROS 2's Python message_filters, for environments whose ROS comes from wheels.

The same names, signatures and matching rules as the package of Humble and Jazzy. One thing is
better: the lock of a synchroniser is released when a callback raises.
"""

from .cache import Cache
from .simple_filter import SimpleFilter, Subscriber
from .synchronizers import ApproximateTimeSynchronizer, TimeSynchronizer

__all__ = [
    "ApproximateTimeSynchronizer",
    "Cache",
    "SimpleFilter",
    "Subscriber",
    "TimeSynchronizer",
]
