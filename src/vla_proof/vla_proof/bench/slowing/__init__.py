"""What slowing along the path is worth, beside limits of each dimension by itself."""
