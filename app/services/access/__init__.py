"""Who may do what: keys, and links that expire. Begin with `keys`."""
