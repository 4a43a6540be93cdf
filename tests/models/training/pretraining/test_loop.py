"""A pretraining lowers its loss, and goes on from its checkpoint as if it had never stopped."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models.network.pretrained.network import PretrainedConfig
from models.training.pretraining.loop import CHECKPOINT, LOG, Pretraining, compute_batch_loss, run
from models.training.pretraining.plan import PretrainingPlan
from models.training.pretraining.windows import make_batches

SMALL = PretrainedConfig(width=32, inner=32, blocks=1)
PLAN = PretrainingPlan(steps=40, segments=1024, network=SMALL)
CPU = torch.device("cpu")


def go_on(pretraining: Pretraining, folder: Path, seconds: float = 600) -> None:
    """Train to the plan's end, or for some seconds."""
    run(pretraining, folder, time.monotonic() + seconds, lambda text: None, lambda network: {"seen": 1.0}, 1e9)


@pytest.mark.slow
@pytest.mark.training
def test_it_learns_and_a_resumed_one_is_the_same(tmp_path: Path) -> None:
    whole = Pretraining(PLAN, CPU)
    held_out = next(make_batches(replace(PLAN, seed=1), 0))
    before = float(compute_batch_loss(whole.network, held_out, whole.levels).detach())
    go_on(whole, tmp_path)
    after = float(compute_batch_loss(whole.network, held_out, whole.levels).detach())
    assert after < 0.97 * before

    folder = tmp_path / "resumed"
    folder.mkdir()
    first = Pretraining(PLAN, CPU)
    go_on(first, folder, 0)  # ends after a step
    assert 1 <= first.step < PLAN.steps
    second = Pretraining(PLAN, CPU)
    second.restore(folder)
    assert second.step == first.step
    go_on(second, folder)
    assert second.windows == whole.windows
    for name, value in whole.network.state_dict().items():
        assert torch.allclose(value, second.network.state_dict()[name], atol=1e-6), name
    assert len((folder / LOG).read_text().splitlines()) == 2


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    Pretraining(PLAN, CPU).save(tmp_path)
    assert (tmp_path / CHECKPOINT).is_file()
    other = Pretraining(replace(PLAN, network=replace(SMALL, width=16)), CPU)
    with pytest.raises(ValueError, match="another network"):
        other.restore(tmp_path)


def test_it_begins_with_the_weights_of_a_file(tmp_path: Path) -> None:
    first = Pretraining(replace(PLAN, seed=5), CPU)
    save_file({name: value.half() for name, value in first.network.state_dict().items()}, tmp_path / "weights")
    second = Pretraining(PLAN, CPU)
    second.begin_with(tmp_path / "weights")
    for name, value in first.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], value.half().float())
        assert torch.equal(second.averaged[name], value.half().float())


def test_averaged_weights_follow_slowly() -> None:
    pretraining = Pretraining(PLAN, CPU)
    start = {name: value.clone() for name, value in pretraining.averaged.items()}
    pretraining.train_batch(next(make_batches(PLAN, 0)))
    moved = [float((pretraining.averaged[name] - start[name]).abs().max()) for name in start]
    current = [float((pretraining.network.state_dict()[name] - start[name]).abs().max()) for name in start]
    assert 0 < max(moved) < max(current)
    assert np.isfinite(moved).all()
