"""Kinds of units: what a worker can compute. A kind is a file; models are loaded in functions."""
