"""Speed as ratios: every figure is measured beside a named rival, interleaved in one process."""
