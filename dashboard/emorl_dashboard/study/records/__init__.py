"""Every rating, kept: append-only events in ``annotations.duckdb`` and published snapshots.

Read in this order: ``schema``, ``rows``, ``index`` (what the events say now), ``store_file``,
``publisher``, ``store``; ``refresh`` catches up after a dashboard that was killed.
"""
