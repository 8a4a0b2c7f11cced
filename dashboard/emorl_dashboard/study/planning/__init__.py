"""From settings to a sealed study.

Read in this order: ``sources``, ``imported``, ``offers`` (whose responses), ``draft``,
``source_changes``, ``building`` (responses to items), ``leaks``, ``preflight``, ``finding`` (the
checks), ``creation`` (the seal).
"""
