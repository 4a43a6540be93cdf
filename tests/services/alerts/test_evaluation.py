"""Alerts from evidence to messages: forecasts, missing data, jobs, drift; once for each change of each series."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.storage import jobs, keys, registry
from app.storage.jobs import Fence
from app.storage.tables import AlertRow
from tests.services.alerts.conftest import Alerting

ONE = pytest.mark.one_database
CALM = [5.0] * 12
HIGH_LATE = [5.0] * 5 + [9.5] + [5.0] * 6
HIGH_TOO_LATE = [5.0] * 6 + [9.5] * 6
JUDGED: list[tuple[dict[str, Any], list[float], bool]] = [
    ({"quantile": 0.9, "above": 10.0, "within": "6h"}, HIGH_TOO_LATE, False),
    ({"quantile": 0.9, "above": 10.0, "within": "7h"}, HIGH_TOO_LATE, True),
    ({"quantile": 0.5, "above": 10.0, "within": "1D"}, HIGH_LATE, False),
    ({"quantile": 0.7, "above": 9.9, "within": "1D"}, HIGH_LATE, True),  # interpolated: 9.5 + 0.5
    ({"quantile": 0.7, "above": 10.01, "within": "1D"}, HIGH_LATE, False),
    ({"quantile": 0.1, "below": 4.5, "within": "1h"}, CALM, True),
    ({"quantile": 0.5, "below": 4.5, "within": "1D"}, CALM, False),
    ({"quantile": 0.9, "above": 0.0, "within": "59min"}, CALM, False),  # no step is so near
]
"""a condition, the medians of a forecast, and whether it fires"""


def test_a_forecast_fires_once_and_is_resolved_once(alerting: Alerting) -> None:
    alerting.put()
    alerting.evaluate()
    assert (alerting.get()["state"], alerting.events()) == ("ok", [])
    assert "PUT /models/m/schedule" in alerting.get()["problem"]
    alerting.archive("a", HIGH_LATE)
    alerting.archive("b/c d", CALM)
    for _ in range(3):
        alerting.evaluate()
    assert alerting.events() == [("firing", "a")]
    view = alerting.get()
    assert (view["state"], view["firing"], view["problem"]) == ("firing", 1, None)
    (event,) = alerting.get("/alerts/busy/events")["items"]
    assert (event["value"], event["threshold"]) == (10.5, 10.0), "the quantile is one above the median"
    assert event["ds"] == "2024-01-01T06:00:00+00:00", "six hours after the origin"
    alerting.archive("a", HIGH_LATE, origin=1)
    alerting.evaluate()
    assert len(alerting.events()) == 1, "it goes on"
    alerting.archive("b/c d", CALM, origin=2)
    alerting.evaluate()
    assert len(alerting.events()) == 1, "news of another series"
    alerting.archive("a", CALM, origin=2)
    alerting.evaluate()
    assert alerting.events() == [("firing", "a"), ("resolved", "a")]
    assert (alerting.get()["state"], alerting.get()["firing"]) == ("ok", 0)


@ONE
def test_thresholds_spans_and_quantiles(alerting: Alerting) -> None:
    for number, (when, values, fires) in enumerate(JUDGED):
        alerting.put(f"x{number}", when=when)
        alerting.archive("a", values, origin=number)
        alerting.evaluate()
        assert alerting.events(f"x{number}") == ([("firing", "a")] if fires else []), when
        alerting.client.delete(f"/alerts/x{number}")


@ONE
def test_series_are_chosen_by_id_and_by_label(alerting: Alerting) -> None:
    alerting.put("one", series=["b/c d"])
    alerting.put("hot", series={"labels": {"kind": "hot"}})
    alerting.put("all")
    for name in ("a", "b/c d"):
        alerting.archive(name, HIGH_LATE)
    alerting.evaluate()
    assert [alerting.events(name) for name in ("one", "hot")] == [[("firing", "b/c d")], [("firing", "a")]]
    assert sorted(alerting.events("all")) == [("firing", "a"), ("firing", "b/c d")]
    assert alerting.get("/alerts/one")["series"] == ["b/c d"]
    assert alerting.get("/alerts/hot")["series"] == {"labels": {"kind": "hot"}}
    alerting.client.put("/series/a", json={"freq": "h", "labels": {"kind": "mild"}})
    alerting.archive("b/c d", HIGH_LATE, origin=1)
    alerting.evaluate()
    assert alerting.events("hot") == [("firing", "a"), ("resolved", "a")], "it has the label no more"


def test_what_was_deleted_is_resolved(alerting: Alerting) -> None:
    alerting.put()
    for name in ("a", "b/c d"):
        alerting.archive(name, HIGH_LATE)
    alerting.evaluate()
    alerting.client.delete("/series/a")
    alerting.archive("b/c d", HIGH_LATE, origin=1)
    alerting.evaluate()
    assert alerting.events()[2:] == [("resolved", "a")]
    assert alerting.client.delete("/models/m").status_code == 204
    alerting.evaluate()
    assert alerting.events()[3:] == [("resolved", "b/c d")]
    assert "no model 'm'" in alerting.get()["problem"]
    alerting.put(expected=404)


def test_a_deleted_series_is_resolved_without_further_evidence(alerting: Alerting) -> None:
    alerting.put()
    alerting.archive("a", HIGH_LATE)
    alerting.evaluate()
    alerting.client.delete("/series/a")
    alerting.evaluate()
    assert alerting.events() == [("firing", "a")]
    alerting.let_pass(61)
    alerting.evaluate()
    assert alerting.events() == [("firing", "a"), ("resolved", "a")]


def test_a_condition_that_is_held_back_fires_by_itself(alerting: Alerting) -> None:
    alerting.put(**{"for": "10min", "keep_firing_for": "5min"})
    alerting.archive("a", HIGH_LATE)
    alerting.evaluate()
    alerting.let_pass(599)
    alerting.evaluate()
    assert alerting.events() == []
    alerting.let_pass(2)
    alerting.evaluate()
    assert alerting.events() == [("firing", "a")]
    alerting.archive("a", CALM, origin=1)
    alerting.evaluate()
    assert alerting.get()["state"] == "firing"
    alerting.let_pass(301)
    alerting.evaluate()
    assert alerting.events() == [("firing", "a"), ("resolved", "a")]


def test_a_changed_rule_is_judged_anew(alerting: Alerting) -> None:
    alerting.put()
    alerting.archive("a", HIGH_LATE)
    alerting.evaluate()
    alerting.put(expected=200, when={"quantile": 0.9, "above": 11.0, "within": "6h"})
    alerting.evaluate()
    assert alerting.events() == [("firing", "a"), ("resolved", "a")]
    alerting.put(expected=200, when={"quantile": 0.9, "above": 10.0, "within": "6h"})
    alerting.evaluate()
    assert alerting.events()[2:] == [("firing", "a")], "the archived forecast is looked at again"
    alerting.put(expected=200, when={"quantile": 0.9, "above": 10.0, "within": "6h"})
    alerting.evaluate()
    assert len(alerting.events()) == 3, "the same rule again changes nothing"


def test_silent_series_fire_until_values_come(alerting: Alerting) -> None:
    alerting.put(on="data", model=None, when={"silent_for": "3h"}, series=["a"])
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def post(hours_ago: int) -> None:
        body = {"ds": [(hour - timedelta(hours=hours_ago)).isoformat()], "y": [1.0]}
        assert alerting.client.post("/series/a/observations", json=body).status_code == 200

    alerting.evaluate()
    assert alerting.events() == [], "the series is new"
    post(5)
    alerting.let_pass(11)
    alerting.evaluate()
    (event,) = alerting.get("/alerts/busy/events")["items"]
    assert (event["state"], event["threshold"], event["model"]) == ("firing", 3 * 3600.0, None)
    assert 5 * 3600 <= event["value"] < 6 * 3600 + 60
    assert datetime.fromisoformat(event["ds"]) == hour - timedelta(hours=5)
    post(1)
    alerting.let_pass(11)
    alerting.evaluate()
    assert alerting.events() == [("firing", "a"), ("resolved", "a")]


def test_jobs_fire_by_their_kind_and_model(alerting: Alerting) -> None:
    alerting.put(on="job", model=None, when={"status": "failed"})
    alerting.put("of_m", on="job", model="m", when={"status": "failed"})
    alerting.put("of_other", on="job", model="other", when={"status": "failed"})
    alerting.evaluate()

    def end(number: int, status: str, kind: str = "train", model: str | None = "m") -> None:
        with alerting.database.write() as session:
            scope = keys.get_default_scope(session)
            row = registry.get(session, scope, "m") if model == "m" else None
            job = jobs.add(session, scope, id=f"j{number}", kind=kind, model_pk=row and row.pk, model=model, request={})
            job.status = "running"
            session.flush()
            jobs.finish(session, Fence(job.id, 0), status)
        alerting.evaluate()

    end(1, "failed")
    end(2, "failed")
    end(3, "failed", "backtest")
    assert [state for state, _ in alerting.events()] == ["firing", "firing"], "one of trainings, one of backtests"
    end(4, "cancelled", "backtest", "third")
    end(5, "succeeded")
    assert [state for state, _ in alerting.events()] == ["firing", "firing", "resolved"]
    assert alerting.events("of_m") == alerting.events()
    assert alerting.events("of_other") == []
    (newest, *_) = alerting.get("/alerts/busy/events")["items"]
    assert (newest["model"], newest["series"], newest["value"]) == ("m", None, None)


def test_drift_fires_while_it_lasts(alerting: Alerting) -> None:
    alerting.put(on="drift", when=None)
    alerting.evaluate()
    assert alerting.get()["problem"] == "no version of m is live"
    with alerting.database.write() as session:
        scope = keys.get_default_scope(session)
        model = registry.get(session, scope, "m")
        assert model is not None
        jobs.add(session, scope, id="t", kind="train", model_pk=model.pk, model="m", request={})
        fields: dict[str, Any] = {"promoted": True, "reason": "", "metrics": {"gate": {"mase": 1.0}}, "job_id": "t"}
        fields |= {"warnings": [], "loss_curve": {}, "data_span": {}, "config": {}, "artifact": "x", "digest": "y"}
        registry.publish(session, model, fields)
    ds = [f"2024-01-{1 + hour // 24:02d}T{hour % 24:02d}:00:00Z" for hour in range(300)]
    alerting.client.post("/series/a/observations", json={"ds": ds, "y": [(-1.0) ** hour for hour in range(300)]})
    for origin in range(0, 120, 12):  # wrong by 10, where the season error is 1
        alerting.archive("a", [10.0] * 12, origin, scale=1.0)
    alerting.evaluate()
    assert alerting.events() == [("firing", None)]
    (event,) = alerting.get("/alerts/busy/events")["items"]
    assert event["value"] == pytest.approx(10.0, rel=0.1)
    assert event["threshold"] == pytest.approx(1.3)
    for origin in range(120, 280, 6):
        alerting.archive("a", [0.0] * 12, origin, scale=1.0)
    alerting.evaluate()
    assert alerting.events() == [("firing", None), ("resolved", None)]


@ONE
def test_an_alert_that_cannot_be_evaluated_holds_up_no_other(alerting: Alerting) -> None:
    alerting.put("a_broken")
    alerting.put("busy")
    with alerting.database.write() as session:
        session.execute(update(AlertRow).where(AlertRow.name == "a_broken").values(condition={"quantile": 0.9}))
    alerting.archive("a", HIGH_LATE)
    alerting.evaluate()
    assert alerting.events() == [("firing", "a")]
    assert alerting.events("a_broken") == []
