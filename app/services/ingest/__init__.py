"""What a table of values means, and taking it in. Begin with `service`."""
