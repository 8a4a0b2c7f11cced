"""What tests share: tiny models, formula rewards, synthetic runs."""
