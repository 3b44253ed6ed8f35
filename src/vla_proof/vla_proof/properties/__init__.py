"""An independent judge of commands, and random scenarios for it: `vla prove properties`."""
