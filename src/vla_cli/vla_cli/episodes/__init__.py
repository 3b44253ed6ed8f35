"""Commands that play episodes of the simulator, and what they show."""
