"""Search over weights, given any function that scores weight vectors.

This package knows no model, no file and no plot: tests drive it with a formula.
"""
