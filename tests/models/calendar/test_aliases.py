import pytest

from models.calendar.aliases import suggest_alias
from models.calendar.frequency import parse_frequency
from models.errors import FrequencyError


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("hourly", "h"),
        ("Daily", "D"),
        ("1 day", "D"),
        ("15 minutes", "15min"),
        ("15m", "15min"),
        ("2 weeks", "2W"),
        ("months", "MS"),
        ("BD", "B"),
        ("annual", "YS"),
        ("PT30M", "30min"),
        ("P1M", "MS"),
        ("P1D", "D"),
        ("PT1H", "h"),
        ("PT1D", None),
        ("P1H", None),
        ("fortnightly-ish", None),
        ("", None),
    ],
)
def test_words_and_durations_mean_an_alias(text: str, alias: str | None) -> None:
    assert suggest_alias(text) == alias


@pytest.mark.parametrize(
    ("alias", "nearest"),
    [
        ("hourly", "'hourly' is not a frequency; send h"),
        ("15m", "'15m' may be minutes or months; send 15min for minutes, 15ME for months"),
        ("m", "'m' may be minutes or months; send min for minutes, ME for months"),
        ("2YE", "use YE-DEC, and leave the others missing"),
        ("13MS", "use MS, and leave the others missing"),
        ("ms", "aggregate to s"),
        ("bh", "use h, and leave the others missing"),
        ("LWOM-FRI", "use a pandas offset alias such as h, 15min, D, W-SUN, MS"),
    ],
)
def test_a_refused_frequency_names_the_nearest(alias: str, nearest: str) -> None:
    with pytest.raises(FrequencyError) as e:
        parse_frequency(alias)
    assert nearest in str(e.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *(("H", "h"), ("T", "min"), ("S", "s"), ("M", "ME"), ("BM", "BME"), ("Q", "QE-DEC"), ("A", "YE-DEC")),
        *(("AS", "YS-JAN"), ("Y", "YE-DEC"), ("SM", "SME-15"), ("BQ", "BQE-DEC"), ("BA", "BYE-DEC"), ("C", "B")),
        *(("CBMS", "BMS"), ("CBME", "BME"), ("QS-OCT", "QS-JAN"), ("2W", "2W-SUN"), ("0.5h", "30min")),
    ],
)
def test_old_spellings_stay_welcome(old: str, new: str) -> None:
    assert parse_frequency(old).alias == new
