"""Alerts on the wire."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, Tag, model_validator

from app.api.schemas.base import DURATION, Documented, Input, Output, Text, choose_branch
from app.api.schemas.training import AnyModelName, SeriesSelector

AlertName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Duration = Annotated[str, StringConstraints(min_length=2, max_length=12), DURATION]
Address = Annotated[
    Text, StringConstraints(min_length=1, max_length=2000), Documented(r"^[Hh][Tt][Tt][Pp][Ss]?://[^ @]+$")
]
Threshold = Annotated[float, Field(ge=-1e300, le=1e300)]
Subject = Literal["forecast", "anomaly", "drift", "job", "data"]
NamedSeries = Annotated[
    Annotated[list[Text], Field(fail_fast=True, min_length=1, max_length=10_000), Tag("ids")]
    | Annotated[SeriesSelector, Tag("selector")],
    choose_branch({list: "ids", dict: "selector"}, 'send a list of ids, or {"labels": {…}}'),
]
_WHEN: dict[str, Any] = {"quantile": 0.9, "above": 450.0, "within": "24h"}
_EXAMPLE: dict[str, Any] = {
    "on": "forecast",
    "model": "bikes",
    "series": {"ids": ["bikes/station 7"]},
    "when": _WHEN,
    "for": "10min",
    "send": [{"webhook": "https://example.org/hook", "secret": "a long random text"}],
}
EVENT: dict[str, Any] = {
    "id": "0f8c7d1d0c5b4c56a2ff30f1f0a3c001",
    "at": "2024-03-01T12:00:00+00:00",
    "state": "firing",
    "model": "bikes",
    "series": "bikes/station 7",
    "value": 471.2,
    "threshold": 450.0,
    "ds": "2024-03-01T18:00:00+01:00",
    "delivered": True,
    "attempts": 1,
    "deliveries": [
        {
            "kind": "webhook",
            "url": "https://example.org/hook",
            "delivered_at": "2024-03-01T12:00:01+00:00",
            "attempts": 1,
            "next_attempt": None,
            "error": None,
        }
    ],
}


class WhenIn(Input):
    """A condition. Which fields it takes depends on `on`."""

    quantile: float | None = Field(None, gt=0, lt=1, description="forecast: level of the quantile that is compared")
    above: Threshold | None = Field(None, description="forecast: it fires where the quantile is greater")
    below: Threshold | None = Field(None, description="forecast: it fires where the quantile is less")
    within: Duration | None = Field(None, description="forecast: how far from the newest value on, such as 24h")
    score: float | None = Field(None, ge=1, le=1e6, description="anomaly: least score of a scanned value")
    alarm: Literal[True] | None = Field(None, description="anomaly: each alarm of the model's watch")
    status: Literal["failed", "succeeded", "cancelled"] | None = Field(None, description="job: how jobs end")
    silent_for: Duration | None = Field(None, description="data: age of the newest value, such as 6h")


class TargetIn(Input):
    """A receiver: a webhook with its secret, or an Alertmanager."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["webhook"], "properties": {"webhook": {"type": "string"}}},
                {
                    "required": ["alertmanager"],
                    "properties": {"alertmanager": {"type": "string"}, "secret": {"type": "null"}},
                },
            ]
        }
    )

    webhook: Address | None = None
    secret: Annotated[Text, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="what messages to the webhook are signed with; one that was sent before may be left out"
    )
    alertmanager: Address | None = None

    @model_validator(mode="after")
    def _one_receiver(self) -> "TargetIn":
        if (self.webhook is None) == (self.alertmanager is None):
            raise ValueError("send either webhook or alertmanager")
        if self.alertmanager is not None and self.secret is not None:
            raise ValueError("an alertmanager takes no secret")
        return self


class AlertIn(Input):
    """A rule, and who is told."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    on: Subject
    model: AnyModelName | None = Field(None, description="of job: any model's where it is left out; of data: none")
    series: NamedSeries | None = Field(
        None, description="ids or labels; all that the model forecasts or watches where it is left out"
    )
    when: WhenIn = Field(default_factory=lambda: WhenIn())
    send: Annotated[list[TargetIn], Field(min_length=1, max_length=10)]
    hold: Duration | None = Field(None, alias="for", description="how long it must hold before it fires: 10min")
    keep_firing_for: Duration | None = Field(None, description="how long it must not hold before it is resolved")


class TargetOut(Output):
    """A receiver, without its secret."""

    webhook: str | None = None
    alertmanager: str | None = None


class AlertOut(Output):
    """An alert and its state."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "busy",
                "on": "forecast",
                "model": "bikes",
                "series": {"ids": ["bikes/station 7"]},
                "when": _WHEN,
                "for": "10min",
                "keep_firing_for": None,
                "send": [{"webhook": "https://example.org/hook"}],
                "state": "ok",
                "since": "2024-03-01T11:00:00+00:00",
                "firing": 0,
                "evaluated_at": "2024-03-01T12:00:00+00:00",
                "problem": None,
                "created_at": "2024-03-01T11:00:00+00:00",
            }
        }
    )

    name: str
    on: Subject
    model: str | None
    series: list[str] | dict[str, dict[str, str]] | None
    when: dict[str, Any]
    hold: str | None = Field(alias="for")
    keep_firing_for: str | None
    send: list[TargetOut]
    state: Literal["ok", "firing"]
    since: str = Field(description="when it last changed")
    firing: int = Field(description="series, models or kinds of jobs for which it is firing")
    evaluated_at: str | None
    problem: str | None = Field(description="why the last evaluation could judge nothing")
    created_at: str


class DeliveryOut(Output):
    """A message on its way to one receiver."""

    kind: Literal["webhook", "alertmanager"]
    url: str
    delivered_at: str | None
    attempts: int
    next_attempt: str | None = Field(description="null: delivered, or given up")
    error: str | None = Field(description="of the last attempt")


class AlertEventOut(Output):
    """A message of an alert, and what became of it."""

    model_config = ConfigDict(json_schema_extra={"example": EVENT})

    id: str
    at: str
    state: Literal["firing", "resolved", "test"]
    model: str | None
    series: str | None
    value: float | None
    threshold: float | None
    ds: str | None
    delivered: bool = Field(description="to every receiver")
    attempts: int = Field(description="of the receiver that took the most")
    deliveries: list[DeliveryOut]
