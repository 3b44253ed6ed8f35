"""Sequencing, limits, validation, faults and the safety node of the VLA suite.

`core` is the algorithm and `decision` its outcome; `node/` joins them to ROS, everything else is
free of it.
"""

from vla_safety.limits import compiled as _compiled

# Whether the compiled motion limiter is in use.
COMPILED = _compiled.use()
