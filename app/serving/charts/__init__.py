"""Charts drawn with matplotlib in a separate process. Begin with `picture`."""
