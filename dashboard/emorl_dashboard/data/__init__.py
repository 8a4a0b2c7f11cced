"""Cached reads of what the engine publishes."""
