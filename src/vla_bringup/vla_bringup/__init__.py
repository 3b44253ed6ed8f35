"""What the launch files start beside the packages' own nodes."""
