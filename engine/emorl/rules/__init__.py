"""Weight rules: where weights come from, in training and in answering."""
