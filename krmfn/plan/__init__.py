"""What a configuration asks for, before anything is read."""
