"""Settings from the environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.config import Settings


def test_defaults_live_in_one_folder(tmp_path: Path) -> None:
    found = Settings(data_dir=tmp_path)
    assert str(found.database) == f"sqlite:///{tmp_path}/gatecast.db"
    assert found.artifacts == f"file://{tmp_path}/artifacts"
    assert (found.host, found.port, found.lease_seconds) == ("127.0.0.1", 8000, 15)


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATECAST_DATABASE_URL", "postgresql://u@db/name")
    monkeypatch.setenv("GATECAST_LEASE_SECONDS", "2")
    found = Settings()
    assert found.database.drivername == "postgresql+psycopg"
    assert found.lease_seconds == 2


def test_the_password_comes_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("s/e:cret\n")
    found = Settings(database_url="postgresql://u@db/name", database_password_file=tmp_path / "p")
    assert found.database.password == "s/e:cret"
    assert "s/e:cret" not in found.database.render_as_string()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::"])
def test_without_keys_only_on_loopback(host: str) -> None:
    with pytest.raises(ValidationError, match="gatecast keys create"):
        Settings(host=host)
    assert Settings(host=host, auth="on").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert Settings(host=host).on_loopback


def test_other_databases_are_refused() -> None:
    with pytest.raises(ValueError, match="sqlite:/// or postgresql://"):
        _ = Settings(database_url="mysql://x/y").database
