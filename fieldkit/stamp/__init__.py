"""stamp."""
