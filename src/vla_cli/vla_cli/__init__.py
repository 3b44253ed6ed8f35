"""The `vla` command: thin sub-commands over the other packages."""
