"""Access: bearer keys, and links that expire. Begin with `keys`."""
