"""Process concerns: signals, standard streams, the environment's errors."""
