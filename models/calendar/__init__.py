"""Time: frequencies, the grid of a series, calendar features, holidays. Imports no torch. Begin with `grid`."""
