"""What the platform allows: its file, its rules, and their use."""
