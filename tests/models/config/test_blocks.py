"""Days and weeks in steps, and which models have them."""

import pytest

from models.calendar.frequency import parse_frequency
from models.config.blocks import Blocks, find_blocks
from models.errors import ConfigError
from models.planning.defaults import default_config_for_lengths
from models.planning.transfer import transfer_config_for_lengths
from tests.models.examples import small

WEEK = {"context_length": 336, "segment": 24}


@pytest.mark.parametrize(
    ("horizon", "expected"),
    [(24, Blocks(24, 168, 1)), (6, Blocks(24, 168, 1)), (25, Blocks(24, 168, 2)), (168, Blocks(24, 168, 7))],
)
def test_a_horizon_is_counted_in_days(horizon: int, expected: Blocks) -> None:
    config = small(horizon, 5000, **WEEK)
    assert find_blocks("h", horizon, config.network) == expected
    assert find_blocks("h", horizon, config.network).recent == max(3, expected.days) * 24


@pytest.mark.parametrize(
    ("frequency", "horizon", "network"),
    [
        ("D", 7, WEEK),
        ("h", 169, WEEK),
        ("h", 24, {"context_length": 144, "segment": 24}),
        ("h", 24, {**WEEK, "season_lengths": [24]}),
        ("7h", 24, WEEK),
        ("h", 24, {**WEEK, "lookbacks": [144, 336]}),
    ],
)
def test_other_models_have_none(frequency: str, horizon: int, network: dict[str, object]) -> None:
    assert find_blocks(frequency, horizon, small(24, 5000, **network).network) is None


def test_a_calibrated_forecast_needs_them() -> None:
    assert small(24, 5000, **WEEK, calibrated=True).network.calibrated
    with pytest.raises(ConfigError, match=r"network\.calibrated"):
        small(169, 5000, **WEEK, calibrated=True)


@pytest.mark.parametrize(
    ("freq", "length", "horizon", "expected"),
    [
        ("h", 182 * 24, 24, True),
        ("15min", 200 * 96, 96, True),
        ("h", 182 * 24 - 1, 24, False),
        ("h", 10_000, 169, False),
        ("D", 10_000, 7, False),
        ("min", 500_000, 60, False),  # a week is longer than any default context
    ],
)
def test_the_default_has_one_from_half_a_year_on(freq: str, length: int, horizon: int, expected: bool) -> None:
    config = default_config_for_lengths(freq, horizon, (0.5,), [length])
    assert config.network.calibrated == expected
    assert not default_config_for_lengths(freq, horizon, (0.5,), [length], {"calibrated": False}).network.calibrated


def test_a_transfer_to_a_longer_horizon_goes_without() -> None:
    source = default_config_for_lengths("h", 24, (0.5,), [10_000])
    assert transfer_config_for_lengths(source, parse_frequency("h"), [10_000], 48).network.calibrated
    assert not transfer_config_for_lengths(source, parse_frequency("h"), [10_000], 200).network.calibrated
