"""What each input did to a forecast. Begin with `explain`."""
