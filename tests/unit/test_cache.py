"""The cache of loaded versions."""

import threading

import pytest

from app.serving.cache import ModelCache
from app.serving.runtime import LoadedVersion
from models.defaults import choose

CONFIG = choose("h", 1, (0.5,), [100])


def version(size: int) -> LoadedVersion:
    return LoadedVersion(session=None, config=CONFIG, size=size)


def test_least_recently_used_goes_first() -> None:
    cache = ModelCache(max_bytes=25)
    made = {name: version(10) for name in "abc"}
    for name in "ab":
        cache.get(name, lambda name=name: made[name])  # type: ignore[misc]
    cache.get("a", lambda: version(99))
    cache.get("c", lambda: made["c"])
    assert (len(cache), cache.bytes, cache.loads) == (2, 20, 3)
    again = version(10)
    assert cache.get("b", lambda: again) is again, "b was dropped"
    assert cache.get("c", lambda: version(99)) is made["c"]


def test_one_larger_than_the_bound_still_serves() -> None:
    cache = ModelCache(max_bytes=5)
    big = version(50)
    assert cache.get("big", lambda: big) is big
    assert cache.get("big", lambda: version(1)) is big


def test_one_load_for_many_waiters() -> None:
    cache, barrier, loads = ModelCache(100), threading.Barrier(8), []

    def load() -> LoadedVersion:
        loads.append(1)
        return version(1)

    def work() -> None:
        barrier.wait()
        cache.get("a", load)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_a_failed_load_is_tried_again() -> None:
    cache = ModelCache(100)

    def fail() -> LoadedVersion:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        cache.get("a", fail)
    assert cache.get("a", lambda: version(1)).size == 1
