"""Choosing a configuration from the frequency and the amount of data. Imports no torch. Begin with `defaults`."""
