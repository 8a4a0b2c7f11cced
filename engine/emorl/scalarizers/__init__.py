"""Scalarizers: from the scores of several objectives to the one reward of a policy."""
