"""Training requests and jobs on the wire."""

from typing import Annotated, Literal

from pydantic import (
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    Tag,
    model_validator,
)

from app.api.schemas.base import Expected, Input, choose_branch, require_one_of
from app.api.schemas.jobs import JobOptionsIn
from app.api.schemas.series import Label, LabelValue
from app.services.registry.builtin import BUILTIN
from app.services.registry.lookup import BUILTIN_NAME, MODEL_NAME, PINNED_VERSION

ModelName = Annotated[str, StringConstraints(pattern=rf"^{MODEL_NAME}$")]
AnyModelName = Annotated[str, StringConstraints(pattern=rf"^({MODEL_NAME}|{BUILTIN_NAME})$")]
"""with the built-in model for one frequency, such as `auto:h`"""
MOST = 1_000_000_000
"""of a whole number in the options: larger values mean nothing and are slow to compute with"""
Whole = Annotated[int, Field(le=MOST)]
Quantile = Annotated[float, Field(gt=0, lt=1)]
Quantiles = Annotated[list[Quantile], Field(min_length=1, max_length=99)]


class SeriesSelector(Input):
    """Series by id, or by labels that all must hold. Labels are resolved when the job starts."""

    model_config = ConfigDict(json_schema_extra={"oneOf": require_one_of({"ids": "array", "labels": "object"})})

    ids: Annotated[list[str], Field(fail_fast=True, min_length=1, max_length=100_000)] | None = None
    labels: Annotated[dict[Label, LabelValue], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "SeriesSelector":
        if (self.ids is None) == (self.labels is None):
            raise ValueError("give either ids or labels")
        return self


SeriesChoice = Annotated[
    Annotated[SeriesSelector, Tag("selector")] | Annotated[Literal["all"], Tag("all")],
    choose_branch({dict: "selector", "all": "all"}, 'send {"ids": […]}, {"labels": {…}} or "all"'),
]


class NetworkOptions(Input):
    """The network; what is left out is chosen from the frequency and the amount of data."""

    context_length: Whole | None = Field(None, description="steps that the network reads")
    segment: Whole | None = Field(None, description="steps that one recurrence reads; divides the context length")
    cell: Literal["lstm", "gru"] | None = None
    hidden: Whole | None = Field(None, description="width of the recurrent state")
    layers: Whole | None = None
    dropout: float | None = None
    bidirectional: bool | None = Field(None, description="read the context in both directions")
    convolution: Whole | None = Field(None, description="width, in segments, of a convolution before the recurrence")
    attention: Whole | None = Field(None, description="heads that attend to the states of the context")
    decoder: Literal["parallel", "last_step", "recursive"] | None = None
    basis: bool | None = Field(None, description="gate classical linear forecasts and learn a correction")
    scaler: Literal["standard", "mean_abs", "recent", "none"] | None = None
    mask: bool | None = Field(None, description="feed the observed mask beside the values")
    dampen: bool | None = Field(None, description="feed the inverse hyperbolic sine of the values")
    season_lengths: Annotated[list[Whole], Field(max_length=10)] | None = None
    calendar: Annotated[list[Whole], Field(max_length=10)] | None = Field(
        None, description="columns of the calendar features: second of day, day of week, of month, of year, holiday"
    )
    lookbacks: Annotated[list[Whole], Field(max_length=32)] | None = Field(
        None, description="the steps that each member of an ensemble reads"
    )
    linear: bool | None = Field(None, description="add a linear forecast, fitted by ridge regression on all series")
    calibrated: bool | None = Field(
        None, description="move the answer towards a linear forecast that each refresh fits anew, where that helps"
    )
    smoothing: Whole | None = Field(
        None, description="exponential smoothings of the level, rates read from each context"
    )
    ets: bool | None = Field(None, description="add smoothing models of each context's own, weighted by likelihood")
    ets_models: Literal["basic", "wide"] | None = Field(
        None, description="`wide`: with undamped trends and seasons that follow, for few short series"
    )
    anchor: float | None = Field(None, description="share of the point forecast that those models keep")
    anchor_chosen: bool | None = Field(None, description="choose that share by windows that training has not seen")
    statistical: Whole | None = Field(None, description="exponential smoothing models from AutoETS, at most")
    prophet: Whole | None = Field(
        None, description="models that Prophet found, at most; an optional extra of the worker"
    )
    pretrained: bool | None = Field(
        None, description="train the built-in model's network on as a further member, as `warm_start: auto` does"
    )


class TrainingOptions(Input):
    """The optimisation; what is left out is chosen from the amount of data."""

    epochs: Whole | None = Field(None, description="run to the end unless `patience` is given")
    steps_per_epoch: Whole | None = None
    batch_size: Whole | None = None
    learning_rate: float | None = None
    optimizer: Literal["adamw", "adam"] | None = None
    weight_decay: float | None = None
    clip_norm: float | None = None
    loss: Literal["quantile", "mae", "mse", "huber", "student_t"] | None = None
    weighting: Literal["context", "relative"] | None = Field(None, description="what an error is divided by")
    averaging: float | None = Field(None, description="share of the averaged weights that each step keeps")
    patience: Whole | None = Field(None, description="epochs without a better selection loss before stopping")
    freeze_encoder: bool | None = Field(None, description="keep the encoder of `warm_start`")
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    time_budget_s: float | None = Field(None, description="seconds, turned into a number of steps once")
    max_windows: Whole | None = None


class CovariateRoles(Input):
    """Covariates that the model reads beside the target, by role; a name has one role."""

    known_future: Annotated[list[Label], Field(max_length=200)] = Field(
        default_factory=list, description="known for the whole horizon when a forecast is made"
    )
    past: Annotated[list[Label], Field(max_length=200)] = Field(
        default_factory=list, description="known up to the origin"
    )
    static: Annotated[list[Label], Field(max_length=200)] = Field(
        default_factory=list, description="one value a series"
    )


FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
Value = Annotated[
    StrictBool
    | Annotated[StrictInt, Field(ge=-MOST, le=MOST)]
    | Annotated[StrictFloat, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]
    | Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")],
    Expected(f"send a number from {-MOST} to {MOST}, true, false, or a word of lower-case letters"),
]
Values = Annotated[list[Value], Field(max_length=100)]


class SearchIn(Input):
    """A hyperparameter search around what was chosen or asked for; it never sees the data that judge the version."""

    trials: int = Field(20, ge=1, le=1000, description="trainings at most; the first one is of the choice itself")
    time_budget_s: float | None = Field(None, gt=0, allow_inf_nan=False, description="no trial begins after it")
    space: Annotated[dict[FieldName, Values], Field(max_length=40)] | None = Field(
        None,
        description="fields of `network` and `training`, each with values to try; chosen where it is left out",
        examples=[{"cell": ["lstm", "gru"], "hidden": [32, 64, 128]}],
    )


class AggregateIn(Input):
    """A coarser frequency, which the model then has; series are aggregated before they are read."""

    freq: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(
        description="a pandas offset alias of whole steps of the series, such as D of hours, W-MON or MS of days"
    )
    by: Literal["sum", "mean"] = Field("sum", description="what becomes of the values of one step")


class CleaningIn(Input):
    """What is done to the values that the network reads. Recorded with the version, which serves by it."""

    gaps: Literal["leave", "linear", "season"] = Field(
        "leave",
        description="missing steps stay missing, or take the line between the values around, or what the seasons "
        "around have there",
    )
    outliers: Literal["leave", "clip"] = Field("leave", description="move values beyond a context's limits to them")
    aggregate: AggregateIn | None = None
    max_filled: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="share of a series' steps that may be filled; with more it is not trained on"
    )


class BoundsIn(Input):
    """Least and greatest value of a forecast."""

    min: float | None = None
    max: float | None = None


class TrainIn(JobOptionsIn):
    """With only model, series and horizon, everything else is chosen."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "bikes",
                "series": {"ids": ["bikes/station 7"]},
                "horizon": 24,
                "covariates": {"known_future": ["temp"], "static": ["docks"]},
                "country": "DE",
                "bounds": {"min": 0},
                "promote": "if_better",
            }
        }
    )

    model: ModelName
    series: SeriesChoice
    horizon: int = Field(ge=1)
    quantiles: Quantiles | None = None
    network: NetworkOptions = Field(default_factory=NetworkOptions)
    training: TrainingOptions = Field(default_factory=TrainingOptions)
    promote: Literal["if_better", "always", "never"] = "if_better"
    covariates: CovariateRoles = Field(default_factory=CovariateRoles)
    country: Annotated[str, StringConstraints(min_length=2, max_length=20)] | None = Field(
        None, description="whose public holidays the model knows: `DE`, or a part of it such as `US-NY`"
    )
    bounds: BoundsIn = Field(default_factory=BoundsIn)
    cleaning: CleaningIn | None = Field(
        None, description="what is done about gaps and outliers, and a coarser frequency; nothing where it is left out"
    )
    search: SearchIn | None = Field(None, description="try other networks and trainings first, and take the best")
    warm_start: Annotated[str, StringConstraints(pattern=rf"^({PINNED_VERSION}|{BUILTIN})$")] | None = Field(
        None,
        description="`name@version` to begin from: its network, levels, covariates and country stay, series and "
        "horizon may be others; `auto`: the pretrained network is trained on as a further member, for short histories",
    )
