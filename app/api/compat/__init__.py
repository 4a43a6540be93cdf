"""Protocols of other services, a module each: they translate, and what they answer is what their clients expect."""
