"""Aggregation levels: how several adapters decide one token. A level is a file."""
