"""Series in memory, and the function that cuts windows from them. Imports no torch. Begin with `series`."""
