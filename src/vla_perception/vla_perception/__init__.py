"""Cameras, robot state and a command become one observation for the policy.

Free of ROS: `config`, `images`, `streams`, `camera_set`, `states`, `lock_step`, `vocabulary`,
`commands`, `execution`, `desk`, `faults`, `health`. With ROS: `conversions`, `matcher`, `inputs`,
`observer` with `free_running` and `ticked`, `execute_command`, `node`.
"""
