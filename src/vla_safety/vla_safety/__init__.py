"""Sequencing, limits, validation, faults and the safety node of the VLA suite.

`braking`, `axes`, `limits`, `sequencing`, `watchdog`, `states` and `core` are free of ROS;
`conversions`, `outputs` and `node` join them to it.
"""

from vla_safety.limits import compiled as _compiled

# Whether the compiled motion limiter is in use.
COMPILED = _compiled.use(__path__)
