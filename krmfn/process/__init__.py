"""What the process does besides its work: signals, standard streams, the environment's errors."""
