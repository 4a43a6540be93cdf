"""Values outside of what was expected, scored without labels. Imports no torch. Begin with `detect`."""
