"""What shows that the limits hold: an independent judge of commands, and scenarios for it."""
