"""LeRobot: its asynchronous inference as a protocol, and what its folders say of a policy."""
