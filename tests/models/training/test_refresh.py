"""A refresh: what it fits anew, what it leaves, what it is judged by, and that it sees nothing of the future."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from models.data.series import Panel
from models.data.windows import assemble, graph_inputs_of
from models.export.export import export
from models.export.graph import put_weights, trace
from models.export.load import load_weights
from models.inference.golden import golden_batch
from models.inference.published import GRAPH, WEIGHTS
from models.network.network import Network
from models.training.calibrate import calibrate
from models.training.fitted import Fitted, runner_of
from models.training.refresh import NO_PART, NO_SHARE, NOTHING_NEW, TOO_SHORT, decide, has_closed_form, refresh
from tests.kept import GRAPHS
from tests.models.examples import hourly_panel, random_network, small
from tests.models.export.test_export import REPORT
from tests.models.training.test_calibrate import DAYS, PANEL, make_network

pytestmark = pytest.mark.training

KNOWN = 100
"""days that the model was fitted on"""


def cut(panel: Panel, days: int) -> Panel:
    """Return the panel as it was after so many days; covariates reach a day further."""
    end = 24 * days
    return Panel(
        panel.frequency,
        tuple(
            replace(item, y=item.y[:end], covariates={k: v[: end + 24] for k, v in item.covariates.items()})
            for item in panel.series
        ),
    )


def fit_on(days: int, share: float = 0.5) -> Fitted:
    """Return a model whose closed-form part was fitted on so many days."""
    network = make_network()
    calibrate(network, cut(PANEL, days).series, [24 * days], 0, share)
    return Fitted(network.config, network, REPORT)


def trained(network: Network) -> dict[str, torch.Tensor]:
    return {name: value for name, value in network.state_dict().items() if not name.startswith("calibrated.")}


def test_new_values_change_the_closed_form_and_no_trained_weight() -> None:
    fitted = fit_on(KNOWN)
    before = {name: value.clone() for name, value in fitted.network.state_dict().items()}
    refreshed = refresh(fitted, PANEL)
    assert refreshed.changed
    assert refreshed.data_end == {"a": PANEL.series[0].stamps(24 * DAYS - 1, 24 * DAYS)[0]}
    after = refreshed.network.state_dict()
    for name, value in trained(fitted.network).items():
        assert torch.equal(after[name], value), name
    assert not torch.equal(after["calibrated.weight"], before["calibrated.weight"])
    assert torch.equal(after["calibrated.share"], before["calibrated.share"])
    for name, value in fitted.network.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} of the given model is as it was"


def test_it_equals_a_fit_on_what_was_known() -> None:
    fitted = fit_on(KNOWN)
    anew = fit_on(DAYS).network.state_dict()
    for name, value in refresh(fitted, PANEL).network.state_dict().items():
        assert torch.equal(value, anew[name]), name


def test_it_sees_nothing_past_the_end_of_the_series() -> None:
    fitted = fit_on(KNOWN)
    item = PANEL.series[0]
    later = item.covariates["temp"].copy()
    later[24 * 120 + 24 :] = 1e4
    changed = Panel(PANEL.frequency, (replace(item, y=item.y[: 24 * 120], covariates={"temp": later}),))
    first, second = refresh(fitted, cut(PANEL, 120)), refresh(fitted, changed)
    assert first.gate == second.gate
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name


def test_the_newest_days_judge_both_and_neither_has_seen_them() -> None:
    fitted = fit_on(KNOWN)
    refreshed = refresh(fitted, PANEL)
    assert set(refreshed.gate) == {"refreshed", "before"}
    assert refreshed.better
    assert "mase" in refreshed.reason
    item = PANEL.series[0]
    y = item.y.copy()
    y[-24:] += 1000.0  # what the last day brings is judged, and changes no forecast of a day before
    spoiled = refresh(fitted, Panel(PANEL.frequency, (replace(item, y=y),)))
    for name in ("refreshed", "before"):
        assert spoiled.gate[name]["mae"] == pytest.approx(refreshed.gate[name]["mae"] + 1000 / 28, rel=0.05)


def test_a_change_of_the_law_is_worth_a_refresh() -> None:
    item = PANEL.series[0]
    y = item.y.copy()
    y[24 * KNOWN :] -= 4 * item.covariates["temp"][24 * KNOWN : 24 * DAYS]  # the effect is the reverse from now on
    refreshed = refresh(fit_on(KNOWN), Panel(PANEL.frequency, (replace(item, y=y),)))
    assert refreshed.better
    assert refreshed.gate["refreshed"]["mae"] < 0.95 * refreshed.gate["before"]["mae"]


def test_what_is_worse_may_not_serve() -> None:
    measures = {"refreshed": {"mase": 0.83, "mae": 2.0}, "before": {"mase": 0.80, "mae": 1.9}}
    assert decide(measures) == (False, "not as good as before: mase 0.83 against 0.8 on the newest days")
    measures["before"]["mase"] = 0.82
    assert decide(measures) == (True, "mase 0.83 against 0.82 on the newest days")
    del measures["before"]["mase"]  # a series without a season error
    assert decide(measures) == (False, "not as good as before: mae 2 against 1.9 on the newest days")
    assert decide({})[0], "of values too few for a comparison there is nothing to hold against it"


def test_there_may_be_nothing_to_do() -> None:
    share, none = fit_on(KNOWN), fit_on(KNOWN, share=0.0)
    plain = small(24, 300)
    cases = [
        (share, cut(PANEL, KNOWN), NOTHING_NEW),
        (none, PANEL, NO_SHARE),
        (share, cut(PANEL, 60), TOO_SHORT),
        (share, cut(PANEL, 3), TOO_SHORT),
        (Fitted(plain, random_network(plain), REPORT), hourly_panel(), NO_PART),
    ]
    for fitted, panel, reason in cases:
        refreshed = refresh(fitted, panel)
        assert (refreshed.changed, refreshed.better, refreshed.reason) == (False, False, reason)
        assert refreshed.network is fitted.network
    assert not has_closed_form(plain)
    assert has_closed_form(share.config)


def test_corrected_values_are_fitted_anew_though_none_is_new() -> None:
    item = PANEL.series[0]
    y = item.y.copy()
    y[24 * 60 : 24 * 80] += 3.0
    corrected = Panel(PANEL.frequency, (replace(item, y=y),))
    refreshed = refresh(fit_on(DAYS), corrected)
    assert (refreshed.changed, refreshed.better, refreshed.gate) == (True, True, {})


def test_progress_never_falls() -> None:
    told: list[float] = []
    refresh(fit_on(KNOWN), PANEL, on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_refreshed_graph_answers_as_its_network(tmp_path: Path) -> None:
    fitted = fit_on(KNOWN)
    refreshed = refresh(fitted, PANEL).network
    export(Fitted(fitted.config, refreshed, REPORT), tmp_path, GRAPHS)
    loaded = load_weights((tmp_path / WEIGHTS).read_bytes()).state_dict()
    for name, value in refreshed.state_dict().items():
        assert torch.equal(loaded[name], value), name
    batch = assemble(PANEL.series * 3, 24 * np.array([110, 115, 120]) - 1, fitted.config)
    expected = runner_of(refreshed)(batch)
    assert np.abs(expected - fitted.runner(batch)).max() > 0.01, "the horizons begin when the matrix speaks"
    session = ort.InferenceSession(tmp_path / GRAPH)
    inputs = graph_inputs_of(batch, fitted.config)
    np.testing.assert_allclose(session.run(None, inputs)[0], expected, rtol=1e-5)
    for row in range(3):
        alone = session.run(None, {name: values[row : row + 1] for name, values in inputs.items()})[0]
        np.testing.assert_allclose(alone[0], expected[row], rtol=1e-5)


@pytest.mark.slow
def test_a_refreshed_graph_equals_a_freshly_exported_one(tmp_path: Path) -> None:
    fitted = fit_on(KNOWN)
    refreshed = refresh(fitted, PANEL).network
    export(Fitted(fitted.config, refreshed, REPORT), tmp_path)  # traced anew
    template = trace(fitted.network, golden_batch(fitted.config))
    assert put_weights(template, refreshed.state_dict()) == (tmp_path / GRAPH).read_bytes()
