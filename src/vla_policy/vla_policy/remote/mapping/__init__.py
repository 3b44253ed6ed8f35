"""What a mapping of a policy server is made of: units, rotations, images, frames of the past."""
