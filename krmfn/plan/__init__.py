"""Plan a configuration's reads and targets, before anything is read."""
