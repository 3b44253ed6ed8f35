"""What a replay found out, compared and shown."""
