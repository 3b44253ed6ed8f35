"""Metrics of a VLA system: vision, language, action, timing, alignment. Free of ROS.

Each metric is a function from arrays or sequences to a frozen dataclass. Empty, mismatched and
non-finite inputs raise `EvaluationError`: a metric of nothing is an error, not a zero.
"""
