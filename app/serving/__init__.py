"""Loaded versions and the runtimes that run them."""
