"""What the ratings of a study say, always with its uncertainty.

Nothing here reads files or draws: frames of ``study.reporting.answers`` in, records out.
"""
