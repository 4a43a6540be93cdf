"""Settings, read once from GATECAST_* environment variables."""

import ipaddress
import json
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from limits import RateLimitItem, parse_many
from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.scope import Right

MEGABYTE = 1_000_000


def parse_database_url(address: str, name: str = "the address") -> URL:
    """Return a database's address with the driver that this project uses; `name` is what it stands in. Raises
    ValueError for another kind of database."""
    try:
        url = make_url(address)
    except ArgumentError as e:
        raise ValueError(f"{name} must be like sqlite:///file or postgresql://user@host/name") from e
    match url.get_backend_name():
        case "sqlite":
            return url.set(drivername="sqlite")
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
    raise ValueError(f"{name} must be sqlite:/// or postgresql://, not {url.drivername!r}")


def is_loopback(host: str) -> bool:
    """Say whether a host's name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_address(value: str | None, name: str) -> None:
    """Raise ValueError for an address that is not https://, or http:// on this machine."""
    parts = urlsplit(value or "")
    is_secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not parts.hostname or not is_secure or parts.query or parts.fragment:
        raise ValueError(f"{name} must be an address such as https://example.org (http:// only on this machine)")


class Grant(BaseModel):
    """What an account of the identity provider may do, by one of its claims."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claim: str = Field(min_length=1)
    """its name, or a path with dots such as `realm_access.roles`"""
    value: str = Field(min_length=1)
    """what the claim is or has among others; `*`: anything"""
    scopes: tuple[Right, ...] = Field(min_length=1)
    project: str = "default"


class Settings(BaseSettings):
    """The settings of a deployment. Sizes are in bytes, durations in seconds."""

    model_config = SettingsConfigDict(env_prefix="GATECAST_", frozen=True, extra="ignore", arbitrary_types_allowed=True)

    data_dir: Path = Field(default_factory=lambda: Path.home() / ".gatecast")
    """folder of the SQLite file and of the artifacts, unless their URLs are set"""
    database_url: str | None = None
    """`sqlite:///path` or `postgresql://…`; default: SQLite in the data directory"""
    database_password_file: Path | None = None
    """file whose content becomes the password of `database_url`"""
    artifacts_url: str | None = None
    """fsspec URL that every process can reach; default: a folder in the data directory"""
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    trusted_proxies: Annotated[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], NoDecode] = ()
    """networks of proxies that are believed whom a call came from (`X-Forwarded-For`), comma-separated"""
    auth: Literal["on", "off"] = "off"
    """`off` serves the project `default` to everybody, and only on loopback"""
    public_url: str | None = None
    """where browsers reach the service, such as `https://forecasts.example.org`: logins return there; without keys it
    answers to no other names than this and the machine's own"""
    oidc_issuer: str | None = None
    """address of the identity provider that people log in with, and whose tokens programs may send"""
    oidc_client_id: str | None = None
    oidc_client_secret_file: Path | None = None
    """file with the secret of the client, where it has one"""
    oidc_audience: str | None = None
    """what the `aud` of programs' tokens has to name; default: the client's id"""
    oidc_scope: str = "openid profile email"
    """what the provider is asked for at a login"""
    oidc_grants: Annotated[tuple[Grant, ...], NoDecode] = ()
    """what accounts may do, as JSON: `[{"claim": "groups", "value": "ml", "scopes": ["read"], "project": "team"}]`"""
    session_hours: float = Field(12.0, gt=0, le=8760)
    """how long a login lasts"""
    bootstrap_key_file: Path | None = None
    """file whose content is accepted as a key of the project `default`"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """device of trainings"""
    serving_device: Literal["cpu", "cuda"] = "cpu"
    """device of forecasts: ONNX Runtime on the CPU, torch on CUDA"""
    queues: Annotated[tuple[Literal["cpu", "gpu"], ...], NoDecode] = ("cpu", "gpu")
    """queues that a worker takes jobs from, comma-separated; it runs one job of each at a time"""
    training_queue: Literal["cpu", "gpu"] = "cpu"
    """queue of trainings whose request names none; other jobs go to `cpu`"""
    preload: bool = True
    """whether a worker keeps torch imported in the process that jobs are forked from: half a gigabyte saves seconds"""
    cache_dir: Path | None = None
    """folder of files that can be made again, such as graphs of networks; default: a folder in the data directory"""
    lease_seconds: float = Field(15.0, gt=0)
    """time after which a silent worker loses its jobs"""
    checkpoint_seconds: float = Field(10.0, ge=0)
    """time between two checkpoints of a training; 0: one after every epoch"""
    drain_seconds: float = Field(20.0, ge=0)
    """time that a stopping worker gives its jobs to reach their next checkpoint"""
    collect_seconds: float = Field(600.0, gt=0)
    """time between two removals of files that no job and no version needs"""
    archive_days: float = Field(730.0, gt=0)
    """days for which archived forecasts are kept"""
    alert_days: float = Field(90.0, gt=0)
    """days for which messages of alerts and alarms of watches are kept"""
    webhook_private: Literal["refuse", "allow"] = "refuse"
    """whether messages may go to this machine and to private networks"""
    stale_seconds: float = Field(3600.0, ge=0)
    """greatest age of cached data that is forecast from while the database is away; 0 answers 503 instead"""
    log_format: Literal["json", "console"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    max_body_bytes: int = Field(16 * MEGABYTE, gt=0)
    max_import_bytes: int = Field(2000 * MEGABYTE, gt=0)
    max_held_bytes: int = Field(256 * MEGABYTE, gt=0)
    """bodies in memory at a time; further large ones are answered 503"""
    max_forecast_series: int = Field(10_000, gt=0)
    max_forecast_values: int = Field(5_000_000, gt=0)
    max_explained_values: int = Field(1_000_000, gt=0)
    explain_seconds: float = Field(60.0, gt=0)
    """longest time that an explanation may take"""
    chart_seconds: float = Field(10.0, gt=0)
    """longest time that a chart may take, and may wait for others"""
    max_horizon: int = Field(10_000, gt=0)
    max_train_steps: int = Field(50_000_000, gt=0)
    max_job_memory_bytes: int = Field(32_000 * MEGABYTE, gt=0)
    """estimated memory above which a job is refused"""
    max_backtest_windows: int = Field(100_000, gt=0)
    """forecasts of one backtest"""
    max_anomaly_points: int = Field(20_000, gt=0)
    """observations that are scored while the caller waits; a larger scan becomes a job"""
    max_scanned_points: int = Field(1_000_000, gt=0)
    """observations that one job scores"""
    graph_cache_bytes: int = Field(256 * MEGABYTE, ge=0)
    """graphs of networks that are kept on disk; 0 traces each network again"""
    model_cache_bytes: int = Field(512 * MEGABYTE, gt=0)
    """versions in memory"""
    context_cache_bytes: int = Field(256 * MEGABYTE, ge=0)
    """newest observations in memory, of series that were forecast lately"""
    replay_windows: int = Field(2048, ge=0)
    """earlier forecasts that one request repeats, to set the width of its intervals; 0: none"""
    replay_cache_bytes: int = Field(128 * MEGABYTE, ge=0)
    """repeated forecasts in memory; of a series that is not there all are repeated after each observation"""
    path_windows: int = Field(4096, gt=0)
    """earlier forecasts that one request repeats, to know how steps and series err together"""
    path_cache_bytes: int = Field(128 * MEGABYTE, ge=0)
    """those forecasts in memory"""
    rendered_cache_bytes: int = Field(64 * MEGABYTE, ge=0)
    """recent responses in memory; 0 forecasts each time"""
    request_limits: Annotated[tuple[RateLimitItem, ...], NoDecode] = ()
    """how many requests a key may make, such as `50/second; 20000/hour`"""
    value_limits: Annotated[tuple[RateLimitItem, ...], NoDecode] = ()
    """how many values a key may have forecast (horizon x series x quantiles), written in the same way"""
    max_waiting_requests: int = Field(1000, gt=0)
    """forecasts of one project under way in one process; further ones are answered 503"""
    client_seconds: float = Field(30.0, gt=0)
    """longest time for which a client may send nothing of a request that it began, or take nothing of its answer"""
    max_connections: int = Field(2000, gt=0)
    """open connections of one process; a further one takes the place of one that keeps it waiting, or is refused"""

    @field_validator("queues", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
        if not names:
            raise ValueError("name at least one of cpu and gpu")
        return names

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in value.split(",") if part.strip())
        except ValueError as e:
            raise ValueError(f"{e}; send addresses or networks such as 10.0.0.0/8, separated by commas") from e

    @field_validator("request_limits", "value_limits", mode="before")
    @classmethod
    def _limits(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            limits = tuple(parse_many(value)) if value.strip() else ()
        except ValueError as e:
            raise ValueError(f"{value!r} is no limit; write it as 50/second, or 50/second; 20000/hour") from e
        if any(limit.amount < 1 for limit in limits):
            raise ValueError("a limit of 0 would refuse everything; leave it out, or revoke the keys")
        return limits

    @field_validator("oidc_grants", mode="before")
    @classmethod
    def _grants(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.strip() else ()
        except ValueError as e:
            raise ValueError(f"{e}; write a list in JSON, of objects with claim, value, scopes and project") from e

    @model_validator(mode="after")
    def _whole_login(self) -> "Settings":
        if self.public_url is not None or self.oidc_issuer is not None:
            _check_address(self.public_url, "GATECAST_PUBLIC_URL")
        if self.oidc_issuer is None:
            return self
        _check_address(self.oidc_issuer, "GATECAST_OIDC_ISSUER")
        if self.auth == "off":
            raise ValueError("GATECAST_OIDC_ISSUER needs GATECAST_AUTH=on: without keys everybody may do everything")
        if not self.oidc_client_id or not self.oidc_grants:
            raise ValueError("GATECAST_OIDC_ISSUER needs GATECAST_OIDC_CLIENT_ID and GATECAST_OIDC_GRANTS")
        return self

    @model_validator(mode="after")
    def _open_only_on_loopback(self) -> "Settings":
        if self.auth == "off" and not self.on_loopback:
            raise ValueError(
                f"refusing to listen on {self.host} without keys: set GATECAST_AUTH=on "
                "(and make a key with 'gatecast keys create NAME'), or listen on 127.0.0.1"
            )
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def on_loopback(self) -> bool:
        """Whether the service can be reached from this machine only."""
        return is_loopback(self.host)

    @property
    def database(self) -> URL:
        """The database's address, with the driver that this project uses."""
        address = self.database_url or f"sqlite:///{self.data_dir.resolve() / 'gatecast.db'}"
        url = parse_database_url(address, "GATECAST_DATABASE_URL")
        if self.database_password_file is not None:
            url = url.set(password=self.database_password_file.read_text().strip())
        return url

    @property
    def graphs(self) -> Path:
        """The folder of the graphs that networks were traced to."""
        return (self.cache_dir or self.data_dir / "cache") / "graphs"

    @property
    def artifacts(self) -> str:
        """The artifact store's fsspec URL."""
        return self.artifacts_url or f"file://{self.data_dir.resolve() / 'artifacts'}"
