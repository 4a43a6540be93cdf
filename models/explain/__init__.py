"""Explanations of a forecast by its inputs and candidates. Begin with `explain`."""
