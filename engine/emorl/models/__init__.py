"""Base models and adapters: loading, checking, and what the policy reads and writes."""
