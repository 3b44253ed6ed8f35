"""A checkpoint: the folder with everything a policy needs."""
