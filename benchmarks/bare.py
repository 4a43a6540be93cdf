"""The reference: a bare FastAPI route with pydantic in and out that answers a forecast's bytes and computes nothing."""

import json
import os
from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import BaseModel

app = FastAPI()
ANSWER: dict[str, Any] = json.loads(os.environ.get("BARE_ANSWER", "{}"))


class Asked(BaseModel):
    """The request of a forecast."""

    model: str
    series: list[str]
    horizon: int
    quantiles: list[float]


class Forecast(BaseModel):
    """One series' forecast."""

    series_id: str
    status: str
    origin: str
    ds: list[str]
    yhat: list[float]
    quantiles: dict[str, list[float]]
    warnings: list[str]
    stale: bool
    fallback: bool
    fallback_by: str | None
    zero_shot: bool


class Answer(BaseModel):
    """The answer of a forecast."""

    model: str
    version: int
    revision: int
    forecasts: list[Forecast]


@app.post("/forecast")
async def forecast(asked: Asked) -> Answer:
    """Answer what was measured before, as any handler that computes nothing would."""
    return Answer.model_validate({**ANSWER, "model": asked.model})


@app.get("/forecast")
async def polled(model: str, series: Annotated[list[str], Query()], horizon: int, quantiles: str) -> Answer:
    """The same for polling."""
    return Answer.model_validate({**ANSWER, "model": model})
