"""Models and their versions: lookup, promotion by hand, bundles, and loading what serves. Begin with `service`."""
