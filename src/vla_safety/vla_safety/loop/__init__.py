"""The control loop: when a period is due, and what one consists of."""
