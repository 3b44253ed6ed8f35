"""Inference backends side by side: `vla bench backends`."""
