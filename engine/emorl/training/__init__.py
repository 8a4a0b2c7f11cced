"""Training of one adapter per objective by self-critical sequence training.

``losses`` are the formulas, ``sampling`` writes and scores responses, ``convergence`` says when
to stop, ``scst`` is the loop.
"""
