"""From a request to what the networks read: series, covariates and what is remembered of them.

Begin with `request`.
"""
