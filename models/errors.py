"""Everything that the engine raises on purpose.

EngineError
├── ConfigError · FrequencyError · TimezoneError · TimestampError · OffGridError      what a user wrote
├── TrainingDataError                                                                 what a user's data are
├── DamagedFile
│   ├── CheckpointError                                                               a training's state
│   └── BrokenVersion                                                                 a published version
└── ExportError · GraphError                                                          what cannot be published
"""


class EngineError(Exception):
    """Anything that the engine refuses; the message says why, in words for users."""


class ConfigError(EngineError, ValueError):
    """A field is unknown, ill-typed or contradictory; `field` names it, such as `network.segment`."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class FrequencyError(EngineError, ValueError):
    """The frequency is not a pandas offset alias between one second and one year."""


class OffGridError(EngineError, ValueError):
    """A timestamp does not lie on the series' grid; `row` counts from 0."""

    def __init__(self, row: int, detail: str) -> None:
        super().__init__(f"row {row}: {detail}")
        self.row = row
        self.detail = detail


class TimestampError(EngineError, ValueError):
    """A timestamp cannot be read, or names a local time that does not exist or exists twice."""

    def __init__(self, row: int, code: str, detail: str) -> None:
        super().__init__(f"row {row}: {detail}")
        self.row = row
        self.code = code
        self.detail = detail


class TimezoneError(EngineError, ValueError):
    """The timezone is not in the IANA database."""


class TrainingDataError(EngineError, ValueError):
    """The data cannot be trained on; `code` names the reason, the message says it to the user."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class DamagedFile(EngineError, ValueError):
    """A file of the engine's own cannot be read."""


class CheckpointError(DamagedFile):
    """A checkpoint cannot be read, was damaged, or belongs to another run."""


class ExportError(EngineError, RuntimeError):
    """The network could not be written as a graph that gives its own answers."""


class GraphError(EngineError, RuntimeError):
    """The network cannot be written as an ONNX graph, or a template is not one of this network."""


class BrokenVersion(DamagedFile):
    """A version's files are damaged or of another release, or this machine computes something else than the one
    that trained it."""
