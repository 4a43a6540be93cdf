"""What a text that is no pandas offset alias may have meant, as an alias."""

import re

_WORDS = {
    "s": ("sec", "secs", "second", "seconds", "secondly"),
    "min": ("m", "mins", "minute", "minutes", "minutely"),
    "h": ("hr", "hrs", "hour", "hours", "hourly"),
    "D": ("day", "days", "daily"),
    "B": ("bd", "bday", "bdays", "business", "weekday", "weekdays"),
    "W": ("wk", "wks", "week", "weeks", "weekly"),
    "MS": ("mo", "mos", "mon", "month", "months", "monthly"),
    "QS": ("qtr", "quarter", "quarters", "quarterly"),
    "YS": ("yr", "yrs", "year", "years", "yearly", "annual", "annually"),
}
_ALIASES = {word: alias for alias, words in _WORDS.items() for word in words}
_ISO_UNITS = {"PTS": "s", "PTM": "min", "PTH": "h", "PD": "D", "PW": "W", "PM": "MS", "PY": "YS"}
_DURATION = re.compile(r"(PT?)(\d+)([SMHDWY])", re.IGNORECASE | re.ASCII)
_NUMBERED = re.compile(r"(\d*)\s*([a-z]+)", re.IGNORECASE | re.ASCII)


def suggest_alias(text: str) -> str | None:
    """Return the pandas offset alias of words (`hourly`, `15 minutes`) and ISO 8601 durations (`PT1H`), None else."""
    duration = _DURATION.fullmatch(text.strip())
    if duration is not None:
        unit = _ISO_UNITS.get((duration[1] + duration[3]).upper())
        return None if unit is None else _spell(duration[2], unit)
    numbered = _NUMBERED.fullmatch(text.strip())
    unit = None if numbered is None else _ALIASES.get(numbered[2].lower())
    return None if numbered is None or unit is None else _spell(numbered[1], unit)


def _spell(count: str, alias: str) -> str:
    return alias if count in ("", "1") else f"{count}{alias}"
