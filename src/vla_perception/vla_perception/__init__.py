"""Cameras, robot state and a command become one observation for the policy.

Free of ROS: `config`, `images`, `streams`, `camera_set`, `states`, `lock_step`, `vocabulary`,
`commands`, `execution`, `faults`. With ROS: `conversions`, `matcher`, `inputs`,
`execute_command`, `node`.
"""
