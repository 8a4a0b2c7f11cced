"""The stages of a run: training, search (with the atlas), scoring. ``pipeline`` strings them.

Stages hand over through the run's folder only: adapters as files, the rest in the store.
"""
