"""A simulated robot for the VLA graph: Meta-World's Sawyer arm in MuJoCo.

`tasks`, `graphics`, `rendering`, `environment` and `driver` know nothing of ROS; `node` is the
`simulator` node.
"""
