"""The pretrained network as a further member of a network in training."""

import numpy as np
import pytest
import torch

from models.data.series import Panel
from models.network.inputs import Normalise
from models.network.pretrained.forecast import forecast_windows
from models.network.pretrained.member import PretrainedMember
from models.pretrained.forecaster import LEVELS as PUBLISHED_LEVELS
from models.training.checkpoint import Checkpoint
from models.training.conformal import PRETRAINED_SHARES
from models.training.fit import fit
from models.training.learner import Learner
from tests.models.examples import LEVELS, hourly_panel, small

CPU = torch.device("cpu")


def build_member(horizon: int, context: int) -> PretrainedMember:
    config = small(horizon, context_length=context, segment=1, season_lengths=[24, 168], pretrained=True)
    member = Learner(config, CPU).network.pretrained
    assert member is not None
    return member.eval()


@pytest.mark.parametrize(("horizon", "context"), [(5, 48), (24, 96), (100, 350)])
def test_it_forecasts_as_the_built_in_model_does(horizon: int, context: int) -> None:
    """From the same context, whatever its length, the scaler of its reader and the levels that are wanted."""
    rng = np.random.default_rng(0)
    y = 300 + 50 * np.sin(2 * np.pi * np.arange(context) / 24) + rng.normal(0, 5, (3, context))
    y[1, 5:9] = np.nan
    member = build_member(horizon, context)
    periods = np.array([[24, 168 if context >= 336 else 0]] * 3)
    expected = forecast_windows(member.network, y, periods, horizon)
    columns = [PUBLISHED_LEVELS.index(level) for level in LEVELS]
    for scaler in ("standard", "recent"):
        read = Normalise(context, 24, scaler)(torch.from_numpy(y))
        with torch.no_grad():
            found = member(read).double() * read.scale[..., None] + read.loc[..., None]
        np.testing.assert_allclose(found.numpy(), expected[..., columns], atol=0.02)


def fit_waves(panel: Panel, **options: object) -> tuple[float, dict[str, torch.Tensor]]:
    config = small(6, 400, {"epochs": 2, "steps_per_epoch": 5}, context_length=48, pretrained=True)
    fitted = fit(panel, config, **options)  # type: ignore[arg-type]
    return float(fitted.network.pretrained_share), fitted.network.state_dict()


def test_unseen_windows_choose_its_share_and_a_resumed_training_goes_on() -> None:
    panel = hourly_panel(400, 2)
    saved: list[Checkpoint] = []
    share, whole = fit_waves(panel, save_checkpoint=saved.append)
    assert share in PRETRAINED_SHARES
    published = build_member(6, 48).state_dict()
    assert not torch.equal(whole["pretrained.network.output.weight"], published["network.output.weight"])
    for checkpoint in (saved[0], saved[-1]):
        again, weights = fit_waves(panel, resume=checkpoint)
        assert again == share
        assert all(torch.equal(value, weights[name]) for name, value in whole.items())


def test_it_learns_at_a_tenth_of_the_rate() -> None:
    learner = Learner(small(6, context_length=48, pretrained=True), CPU)
    assert [group["share"] for group in learner.optimizer.param_groups] == [1.0, 0.1]
    own = sum(p.numel() for p in learner.optimizer.param_groups[1]["params"])
    assert own == sum(p.numel() for p in learner.network.pretrained.parameters())  # type: ignore[union-attr]
    plain = Learner(small(6, context_length=48), CPU)
    assert [group["share"] for group in plain.optimizer.param_groups] == [1.0]
