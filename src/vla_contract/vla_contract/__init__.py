"""What the VLA packages share beside the messages, free of ROS where it can be.

`action_space` and `image_size` are pure; `parameters` and `topics` are pure up to their last
functions; `graph_node` is the lifecycle node that every node of the graph is built on.
"""
