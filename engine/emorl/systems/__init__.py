"""What answers prompts (base, adapters, ensembles), and how the answers are measured."""
