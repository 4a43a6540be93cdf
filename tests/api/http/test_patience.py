"""How long a client is waited for."""

from app.api.http.patience import LEAST_RATE, Wait


def test_a_wait_is_over_when_nothing_moves_or_too_little() -> None:
    silent, dripping, steady = Wait(), Wait(), Wait(7)
    for step in range(1, 301):
        silent.add(1, 0)
        dripping.add(1, step * LEAST_RATE // 4)
        steady.add(1, 7 + step * LEAST_RATE * 2)
        assert silent.is_over(10) == (step > 10)
        assert dripping.is_over(10) == (step > 13)
        assert not steady.is_over(10)
    assert steady.silent == 0
    assert silent.silent == 300
