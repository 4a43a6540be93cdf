"""The forecasting engine of Gatecast, usable as a library and free of any web or SQL code.

Five lines are enough, with `y` a float64 array of hourly values::

    from models.planning.defaults import default_config
    from models.training.fit import fit
    from models.data.series import Panel
    panel = Panel.from_arrays({"sales": y}, freq="h", start="2024-01-01")
    fitted = fit(panel, default_config(panel, horizon=24))

`fitted.predict(panel)` then forecasts. Nothing is imported here, because whoever only serves must not load torch.
"""
