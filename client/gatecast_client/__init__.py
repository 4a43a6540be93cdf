"""A client of a Gatecast service: knows it by HTTP alone."""
