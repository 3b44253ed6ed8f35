"""Understanding sentences of many languages."""
