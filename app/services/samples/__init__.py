"""What protocols of monitoring send becomes series, by rules. Begin with `service`."""
