"""The command: checked, held, and served as an action."""
