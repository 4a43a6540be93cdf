"""Drawing charts in a process of their own, with matplotlib. Begin with `picture`."""
