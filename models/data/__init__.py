"""Series in memory, and the one function that cuts windows from them. Imports no torch. Begin with `series`."""
