"""What POST /train may override is what the engine may be told."""

import dataclasses

import pytest

from app.api.schemas.training import CovariateRoles, NetworkOptions, TrainingOptions
from models.config.covariates import CovariateConfig
from models.config.network import NetworkConfig
from models.config.training import TrainingConfig


@pytest.mark.parametrize(
    ("schema", "config", "more"),
    [
        (NetworkOptions, NetworkConfig, set()),
        (TrainingOptions, TrainingConfig, set()),
        (CovariateRoles, CovariateConfig, {"levels"}),  # the vocabularies are learned
    ],
)
def test_every_option_is_there(schema: type, config: type, more: set[str]) -> None:
    assert set(schema.model_fields) | more == {field.name for field in dataclasses.fields(config)}
