"""The library's own five lines work as they are written."""

import textwrap

import models
from models.data.series import Panel
from models.training.fitted import Fitted
from tests.trained import values


def test_five_lines() -> None:
    assert models.__doc__ is not None
    block = models.__doc__.split("::\n", 1)[1].split("\n\n`fitted", 1)[0]
    code = textwrap.dedent(block).replace("horizon=24", 'horizon=24, training={"epochs": 1}')
    names: dict[str, object] = {"y": values(300)}
    exec(compile(code, "five lines", "exec"), names)
    fitted, panel = names["fitted"], names["panel"]
    assert isinstance(fitted, Fitted)
    assert isinstance(panel, Panel)
    assert fitted.predict(panel)[0].yhat.shape == (24,)
    assert len(code.strip().splitlines()) == 5
