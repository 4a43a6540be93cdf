"""The settings of a network: frozen and checked."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models.calendar.features import CALENDAR_FIELDS
from models.config.validation import require

MAX_CONTEXT = 10_000
"""steps"""
MAX_ETS_CONTEXT = 512
"""steps with smoothing models of the context's own, whose maps grow with the square"""
LONGEST_MAP = 2048
"""steps of a context that candidates read: their maps grow with them, and some with their square"""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """A network. Every variant, the plain LSTM of the articles included, is a setting of these fields."""

    context_length: int
    """T, steps that are read; a multiple of `segment`"""
    segment: int
    """steps of the series in one step of the recurrence; 1 is the classical stepwise LSTM"""
    cell: Literal["lstm", "gru"] = "lstm"
    """recurrent cell"""
    hidden: int = 64
    """width of the recurrent state"""
    layers: int = 1
    """stacked recurrent layers"""
    dropout: float = 0.1
    """share of hidden values dropped in training, between layers and before the decoder's output"""
    bidirectional: bool = False
    """whether the context is read in both directions"""
    convolution: int = 0
    """width, in segments, of a causal convolution before the recurrence (CNN-LSTM); 0: none"""
    attention: int = 0
    """heads with which the decoder attends to the encoder's states; 0: none"""
    decoder: Literal["parallel", "last_step", "recursive"] = "parallel"
    """`parallel`: one more recurrent step for each horizon segment; `last_step`: linear on the last state, all steps
    at once; `recursive`: one step after another, each one read back"""
    basis: bool = True
    """whether classical linear forecasts are gated, and only a correction to them is learned"""
    scaler: Literal["standard", "mean_abs", "recent", "none"] = "standard"
    """scaling of a context to unit size (models.network.scalers)"""
    mask: bool = True
    """whether the mask of observed values is an input too"""
    dampen: bool = True
    """whether the inverse hyperbolic sine of the values is an input too, so that a spike does not drown the rest"""
    season_lengths: tuple[int, ...] = ()
    """season lengths in steps, shortest first; those within the context shape the basis and the filling"""
    calendar: tuple[int, ...] = ()
    """columns of `calendar_features` among the inputs"""
    lookbacks: tuple[int, ...] = ()
    """steps that each member of an ensemble reads, `context_length` at most; empty: one member"""
    linear: bool = False
    """whether a forecast linear in context and covariates, fitted by ridge regression, is a candidate"""
    calibrated: bool = False
    """whether a forecast that is linear in the same steps of earlier days, and fitted anew by each refresh, moves the
    answer where that helped on the selection span (models.network.calibrated)"""
    smoothing: int = 0
    """exponential smoothings of the level, their rates read from each context (the idea of ES-RNN)"""
    ets: bool = False
    """whether smoothing models of each context, averaged by likelihood (models.network.ets), are candidates"""
    ets_models: Literal["basic", "wide"] = "basic"
    """`wide`: with undamped trends and seasons that follow, weighed by how likely each makes the context, and levels in
    units of what they have missed there; for few short series"""
    anchor: float = 0.0
    """share of the point forecast that stays with the `ets` models, whatever is learned; 0: none"""
    anchor_chosen: bool = False
    """whether unseen windows choose the share (models.training.conformal), where there are any and `anchor` is not 0"""
    statistical: int = 0
    """most exponential smoothing models with parameters fitted by AutoETS to a sample of the series"""
    prophet: int = 0
    """most models with trend, seasons and noise fitted by Prophet to a sample of the series"""
    pretrained: bool = False
    """whether the pretrained network of the package, trained on with the others, has a share that unseen windows choose
    """

    def __post_init__(self) -> None:
        self._check_recurrence()
        if self.decoder == "recursive":
            self._check_recursion()
        self._check_inputs()
        self._check_candidates()

    def _check_recurrence(self) -> None:
        require(1 <= self.segment <= MAX_CONTEXT, "network.segment", f"must be between 1 and {MAX_CONTEXT}")
        require(
            2 <= self.context_length <= MAX_CONTEXT,
            "network.context_length",
            f"must be between 2 and {MAX_CONTEXT} steps",
        )
        require(
            self.context_length % self.segment == 0,
            "network.segment",
            f"must divide context_length ({self.context_length}); {self.segment} does not",
        )
        require(1 <= self.hidden <= 2048, "network.hidden", "must be between 1 and 2048")
        require(1 <= self.layers <= 8, "network.layers", "must be between 1 and 8")
        require(0 <= self.dropout < 1, "network.dropout", "must be at least 0 and below 1")
        require(0 <= self.convolution <= 64, "network.convolution", "must be between 0 and 64")
        require(0 <= self.attention <= 32, "network.attention", "must be between 0 and 32")
        require(
            self.attention == 0 or self.hidden % self.attention == 0,
            "network.attention",
            f"must divide hidden ({self.hidden}); {self.attention} does not",
        )

    def _check_recursion(self) -> None:
        require(
            not self.bidirectional,
            "network.bidirectional",
            "must be false for the recursive decoder: it goes on where the recurrence ends, which reads one way",
        )
        require(
            self.convolution == 0,
            "network.convolution",
            "must be 0 for the recursive decoder: it reads its own forecasts one by one",
        )
        require(
            self.segment == 1,
            "network.segment",
            f"must be 1 for the recursive decoder, which forecasts one step after another, not {self.segment}",
        )

    def _check_inputs(self) -> None:
        require_seasons(self.season_lengths)
        require(
            all(0 <= f < len(CALENDAR_FIELDS) for f in self.calendar) and len(set(self.calendar)) == len(self.calendar),
            "network.calendar",
            f"must be distinct column numbers of {', '.join(CALENDAR_FIELDS)}, counted from 0",
        )
        require(len(self.lookbacks) <= 32, "network.lookbacks", "must be 32 members at most")
        require(
            all(2 <= n <= self.context_length and n % self.segment == 0 for n in self.lookbacks),
            "network.lookbacks",
            f"must be multiples of segment ({self.segment}), 2 to context_length ({self.context_length})",
        )

    def _check_candidates(self) -> None:
        require(0 <= self.smoothing <= 8, "network.smoothing", "must be between 0 and 8")
        require(0 <= self.statistical <= 8, "network.statistical", "must be between 0 and 8")
        require(0 <= self.prophet <= 8, "network.prophet", "must be between 0 and 8")
        require(
            not self.ets or self.context_length <= MAX_ETS_CONTEXT,
            "network.ets",
            f"must be false for a context_length above {MAX_ETS_CONTEXT}: its maps grow with the square",
        )
        require(0 <= self.anchor <= 1, "network.anchor", "must be between 0 and 1")
        require(self.ets or not self.anchor, "network.anchor", "must be 0 without ets")
        gated = [name for name in ("linear", "smoothing", "ets", "statistical", "prophet") if getattr(self, name)]
        require(
            self.basis or not gated, "network.basis", f"must be true for {', '.join(gated)}: gates choose among them"
        )

    @property
    def members(self) -> tuple["NetworkConfig", ...]:
        """The members of the ensemble, each as a network with one member."""
        lengths = self.lookbacks or (self.context_length,)
        return tuple(dataclasses.replace(self, context_length=n, lookbacks=()) for n in lengths)

    @property
    def near(self) -> "NetworkConfig":
        """The same network on the last steps of its context, those that candidates read."""
        longest = LONGEST_MAP // self.segment * self.segment or self.context_length
        return dataclasses.replace(self, context_length=min(self.context_length, longest), lookbacks=())

    @property
    def seasons(self) -> tuple[int, ...]:
        """The season lengths in steps that fit into the context, shortest first."""
        return tuple(m for m in self.season_lengths if m <= self.context_length)

    @property
    def season(self) -> int:
        """The shortest season in steps; 1 without one."""
        return self.season_lengths[0] if self.season_lengths else 1

    @property
    def chooses_anchor(self) -> bool:
        """Whether the share of the smoothing models is chosen after training."""
        return self.anchor_chosen and self.anchor > 0

    @property
    def season_in_context(self) -> int:
        """The shortest season in steps that fits into the context; 1 without one."""
        return self.seasons[0] if self.seasons else 1


def require_seasons(seasons: Sequence[int]) -> None:
    """Raise ConfigError unless the season lengths are usable."""
    require(
        all(m >= 2 for m in seasons) and list(seasons) == sorted(set(seasons)),
        "network.season_lengths",
        "must be whole numbers from 2 on, ascending and distinct",
    )
