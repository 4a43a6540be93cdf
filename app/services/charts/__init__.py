"""The content of charts of forecasts; `app.serving.charts` draws them. Begin with `service`."""
