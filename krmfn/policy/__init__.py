"""The platform's policy: its file, its rules, and their use."""
