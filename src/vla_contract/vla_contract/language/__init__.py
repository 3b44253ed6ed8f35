"""What a person says: spelling and stop words."""
