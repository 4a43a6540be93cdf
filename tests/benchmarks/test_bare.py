"""The bare route that serving is measured against says all that a forecast says."""

from app.api.schemas.forecasts import ForecastOut, SeriesForecast
from benchmarks import bare


def test_the_bare_route_has_every_field_of_an_answer() -> None:
    assert list(bare.Answer.model_fields) == list(ForecastOut.model_fields)
    assert list(bare.Forecast.model_fields) == list(SeriesForecast.model_fields)
