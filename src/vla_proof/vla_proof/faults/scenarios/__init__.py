"""The scenarios, by what they spoil."""
