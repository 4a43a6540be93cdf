"""The choice of a configuration by the frequency and the amount of data. Imports no torch. Begin with `defaults`."""
