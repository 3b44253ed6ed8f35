"""Sequencing, limits, validation, faults and the safety node of the VLA suite.

`braking`, `axes`, `limits`, `sequencing`, `watchdog`, `states` and `core` are free of ROS;
`conversions`, `outputs` and `node` join them to it.
"""
