"""Preflight: what may surprise a training, found before it. Begin with `check_series`."""
