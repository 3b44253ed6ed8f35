"""A trained model as a checkpoint folder, whole or in 8 bits."""
