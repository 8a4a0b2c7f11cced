"""Where a run is kept: its folder, its database, and the snapshots that others read."""
