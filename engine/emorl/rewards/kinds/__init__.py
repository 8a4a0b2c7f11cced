"""Kinds of rewards: settings, and how each is loaded. Models are imported when one is loaded."""
