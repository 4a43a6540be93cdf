"""From a request to what the networks read: checks, series, covariates, and the context cache.

Begin with `request`.
"""
