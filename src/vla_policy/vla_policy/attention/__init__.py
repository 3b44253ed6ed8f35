"""Where each word of a command looks."""
