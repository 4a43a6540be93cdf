"""Series and their observations. Begin with `service`."""
