"""The cache of loaded versions."""

import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.serving.cache import ModelCache
from app.serving.runtime import LoadedVersion
from models.planning.defaults import default_config_for_lengths

ROOT = Path(__file__).parents[2]
CONFIG = default_config_for_lengths("h", 1, (0.5,), [100])


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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators return memory by themselves, or never")
def test_memory_of_dropped_versions_goes_back_to_the_system() -> None:
    program = """
from concurrent.futures import ThreadPoolExecutor
import psutil
from app.serving.cache import ModelCache
from app.serving.runtime import LoadedVersion
from tests.serving.test_cache import CONFIG

MEGABYTES, kept = 1_000_000, []
cache = ModelCache(100 * MEGABYTES)

def load():
    blocks = [bytes([k % 256]) * 10_000 for k in range(1000)]
    kept.append(bytes([1]) * 2000)  # what lives on behind them
    return LoadedVersion(session=blocks, config=CONFIG, size=10 * MEGABYTES)

def resident():
    return psutil.Process().memory_info().rss / MEGABYTES

before = resident()
pools = [ThreadPoolExecutor(1) for _ in range(3)]  # each thread's allocations have a place of their own
for number, pool in enumerate(pools):
    pool.submit(lambda: [cache.get((number, k), load) for k in range(10)]).result()
    print(len(cache), round(resident() - before))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, cwd=ROOT)
    found = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert [held for held, _ in found] == [10, 10, 10]
    first, *later = [grown for _, grown in found]
    assert 95 <= first <= 115, "otherwise this test shows nothing"
    assert all(grown <= first + 60 for grown in later), found
