"""Forecasts as pictures: what is on them. How they are drawn is `app.serving.charts`. Begin with `service`."""
