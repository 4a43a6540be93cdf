"""Asking for a training: the request, what is checked of it, and where it starts from. Begin with `service`."""
