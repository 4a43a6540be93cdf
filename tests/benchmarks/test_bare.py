"""The bare route that serving is measured against says all that a forecast says."""

from app.api.schemas.forecast_answers import ForecastOut, SeriesForecast
from benchmarks import bare


def test_the_bare_route_has_every_field_of_an_answer() -> None:
    always = [name for name, field in ForecastOut.model_fields.items() if field.is_required()]
    assert list(bare.Answer.model_fields) == always
    assert list(bare.Forecast.model_fields) == list(SeriesForecast.model_fields)
