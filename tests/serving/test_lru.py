"""What was used lately, bounded in bytes."""

import threading

from app.serving.lru import LruCache


def test_least_recently_used_goes_first() -> None:
    held = LruCache[str](30)
    for name in "abc":
        held.put(name, name, 10)
    assert held.get("a") == "a"
    held.put("d", "d", 10)
    assert [held.get(name) for name in "abcd"] == ["a", None, "c", "d"]
    assert (len(held), held.bytes) == (3, 30)


def test_a_large_value_pushes_many_out() -> None:
    held = LruCache[int](30)
    for k in range(3):
        held.put(k, k, 10)
    held.put("big", 9, 25)
    assert (len(held), held.bytes, held.get("big")) == (1, 25, 9)


def test_a_value_above_the_bound_is_not_kept_and_its_predecessor_is_gone() -> None:
    held = LruCache[str](30)
    held.put("a", "old", 10)
    held.put("b", "b", 10)
    held.put("a", "new", 31)
    assert held.get("a") is None
    assert (held.get("b"), held.bytes, len(held)) == ("b", 10, 1)


def test_a_value_of_exactly_the_bound_is_kept() -> None:
    held = LruCache[str](30)
    held.put("a", "a", 30)
    assert held.get("a") == "a"


def test_replacing_counts_the_new_size_and_is_a_use() -> None:
    held = LruCache[int](30)
    held.put("a", 1, 10)
    held.put("b", 2, 10)
    held.put("a", 3, 15)
    held.put("c", 4, 10)
    assert [held.get(name) for name in "abc"] == [3, None, 4]
    assert held.bytes == 25


def test_nothing_is_kept_without_room() -> None:
    held = LruCache[int](0)
    held.put("a", 1, 1)
    assert (held.get("a"), held.bytes, len(held)) == (None, 0, 0)


def test_threads_keep_the_count_right() -> None:
    held, start = LruCache[int](1000), threading.Barrier(4)

    def work(seed: int) -> None:
        start.wait()
        for k in range(2000):
            held.put((k * (seed + 3)) % 50, k, 7 + k % 90)
            held.get(k % 50)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < held.bytes <= 1000
    assert held.bytes == sum(size for size, _ in held._entries.values())
