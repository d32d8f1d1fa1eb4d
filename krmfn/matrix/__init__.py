"""Which environment has which Secret."""
