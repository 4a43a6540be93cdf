"""Parsers of texts: frequencies, times, filters, selectors, schedules, cursors, links, headers."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import ip_network

from fastapi.exceptions import RequestValidationError

from app.api.compat.prometheus import Parameters
from app.api.cookies import SESSION, read_cookie, read_session
from app.api.deps import labels_of
from app.api.http.addresses import find_address
from app.api.http.fast_route import _parse_any_query
from app.api.http.media_types import describe_table, find_coding, is_form
from app.api.http.negotiation import chosen
from app.api.http.problems import refuse_fields
from app.api.http.query import declare_model, parse_query
from app.api.ingest import read_table_options
from app.api.schemas.base import restore_offset
from app.api.schemas.charts import ChartQuery
from app.api.schemas.forecasts import ForecastQuery
from app.errors import ServiceError
from app.etags import unchanged
from app.formats.cells import explain_number, read_numbers
from app.formats.forms import TableForm
from app.services.access.links import LinkService
from app.services.alerts.addresses import AddressRefused, parse_literal, parse_url
from app.services.durations import LONGEST_US, parse_duration
from app.services.jobs.events import EventCursor
from app.services.label_matching import LabelMatcher
from app.services.metrics.names import MetricKind
from app.services.metrics.promql import MetricSelector, parse_seconds, parse_selector
from app.services.metrics.promql import parse_query as parse_promql
from app.services.metrics.variants import check_parameters, list_variants
from app.services.moments import parse_moment
from app.services.paging import convert_cursor_errors
from app.services.registry.lookup import parse_reference
from app.services.samples.rules import build_matchers, fill_template, list_places
from app.services.schedules.cron import find_next_due
from app.services.series.ids import check_id
from app.services.series.retention import parse_keep
from app.services.series.spans import parse_span
from app.storage.pages import decode_cursor, encode_cursor
from benchmarks import fuzzing_grammars as grammars
from benchmarks.fuzzing_grammars import ZONES
from benchmarks.fuzzing_inputs import decode, encode, of_grammar
from benchmarks.fuzzing_run import Opener, Parse, Target, always, open_database, parse_each
from models.calendar.frequency import LONGEST_STEP, SECOND, parse_frequency, season_lengths
from models.calendar.timestamps import EARLIEST, LATEST, format_stamps, load_timezone, read_stamps
from models.errors import FrequencyError, TimezoneError

NOW = 1_764_374_400_000_000
"""microseconds: the time at which schedules are looked at"""
LEVELS = (0.1, 0.5, 0.9)


def of_text(parse: Callable[[str], object]) -> Opener:
    """Return what opens a parser of texts."""
    return always(lambda data: parse(decode(data)))


def seeds_of(*texts: str) -> Callable[[], Sequence[bytes]]:
    """Return what makes seeds of texts."""
    return lambda: [encode(text) for text in texts]


def read_frequency(text: str) -> None:
    """Parse an alias; its canonical spelling means the same, and its step lies between a second and a year."""
    frequency = parse_frequency(text)
    assert parse_frequency(frequency.alias) == frequency, frequency
    assert SECOND <= frequency.approximate_us <= LONGEST_STEP, frequency
    assert all(length > 1 for length in season_lengths(frequency)), frequency


def read_times(text: str) -> None:
    """Read the lines of a text as times; what is read is written so that it is read again."""
    zone, *lines = text.split("\n")
    load_timezone(zone)
    daily = len(text) % 2 == 1
    stamps, problems = read_stamps(lines, zone, daily=daily)
    wrong = {problem.row for problem in problems}
    good = stamps[[row not in wrong for row in range(len(lines))]]
    assert ((good >= EARLIEST) & (good < LATEST)).all(), "years 1000 to 8999"
    again, refused = read_stamps(format_stamps(good, zone), zone)
    assert not refused, refused
    assert (again == good).all(), "written as it is read"


def read_filters(text: str) -> None:
    """Check and parse a query string of every kind of filter."""
    query = encode(text)
    pairs = parse_query(query)
    values = dict(pairs)
    parameters = Parameters(pairs)
    parse_each(
        (ServiceError,),
        lambda: labels_of([value for name, value in pairs if name == "label"]),
        lambda: parse_span("D", ZONES[1], restore_offset(values.get("start")), restore_offset(values.get("end"))),
        lambda: read_table_options(delimiter=values.get("delimiter"), encoding=values.get("encoding")),
        lambda: read_table_options(columns=values.get("columns")),
        lambda: parameters.read_time("time"),
        parameters.read_limit,
        lambda: declare_model(ForecastQuery).check(query),
        lambda: declare_model(ChartQuery).check(query),
    )


def read_forecast_query(text: str) -> None:
    """Parse the query of a forecast or of a chart, and describe what is wrong with it."""
    model = ChartQuery if len(text) % 3 == 0 else ForecastQuery
    try:
        parsed = _parse_any_query(model, encode(text))
    except RequestValidationError as e:
        raise refuse_fields(e.errors(), e.body, None) from e
    if isinstance(parsed, ForecastQuery):
        assert parsed.request.series, "some series are asked for"


def read_promql(text: str) -> None:
    """Parse a query, a selector and a duration, and run what was read on some metrics and labels."""
    parse_seconds(text)
    with suppress(ServiceError):
        parse_selector(text)
    parsed = parse_promql(text)
    if not isinstance(parsed, MetricSelector):
        return
    names = [matcher.value for matcher in parsed.matchers if matcher.name == "__name__"]
    parse_each(
        (ServiceError,),
        lambda: check_parameters(names[0] if names else None, parsed.matchers),
        *(partial(matcher.select, ["", "a", "bikes/1"]) for matcher in parsed.matchers),
        *(partial(list_variants, kind, LEVELS, parsed.matchers) for kind in MetricKind),
    )


def read_matcher(text: str) -> None:
    """Match some texts with an expression, which matches them from end to end."""
    name, _, rule = text.partition("\n")
    for matcher in (*build_matchers({name: rule}), LabelMatcher(name, rule, is_regex=True, is_negative=True)):
        matched = matcher.select(["", "a", "ab", "bikes/1", "x\ny"])
        assert matched == {one for one in ("", "a", "ab", "bikes/1", "x\ny") if matcher.matches(one)}


def read_template(text: str) -> None:
    """Fill a template of ids."""
    labels = dict.fromkeys(list_places(text), "value")
    check_id(fill_template(text, labels, 200))


def read_duration(text: str) -> None:
    """Parse a duration of both kinds, which are positive."""

    def parse() -> None:
        assert 0 < parse_duration(text, "body.late") <= LONGEST_US

    def keep() -> None:
        assert parse_keep(text) > 0

    parse_each((ServiceError,), parse, keep)


def read_cron(text: str) -> None:
    """Find when a schedule is due, which is later, and again after that."""
    zone, _, expression = text.partition("\n")
    load_timezone(zone)
    due = find_next_due(expression, zone, NOW, "schedule")
    assert due > NOW
    assert find_next_due(expression, zone, due, "schedule") > due


def read_cursor(text: str) -> None:
    """Decode a cursor; what is decoded is encoded to one of the same key."""

    def decode_one(*kinds: type) -> None:
        with convert_cursor_errors():
            key = decode_cursor(text, *kinds)
        assert decode_cursor(encode_cursor(*key), *kinds) == key

    EventCursor.parse(text)
    for kinds in ((str,), (int,)):
        with suppress(ServiceError):
            decode_one(*kinds)
    decode_one(int, str)


def read_cookies(text: str) -> None:
    """Read cookies as they come with a call."""
    headers = {"cookie": text, "host": "example.org", "origin": text[:40]}
    value = read_cookie(headers, SESSION)
    assert value is None or value
    read_session("POST", headers)


def read_headers(text: str) -> None:
    """Read the headers that say what a body is, and what its answer is to be."""
    unchanged(text, '"tag"')
    is_form(text)
    find_coding(text)
    parse_each((ServiceError,), lambda: chosen(TableForm, text), lambda: describe_table(None, text[-40:], text))


def read_forwarded(text: str) -> None:
    """Read whom a request came from."""
    headers = [(b"x-forwarded-for", encode(line)) for line in text.split("\n")]
    scope = {"type": "http", "client": ("127.0.0.1", 1), "headers": headers}
    find_address(scope, (ip_network("127.0.0.0/8"), ip_network("fe80::/16")))


def read_cells(text: str) -> None:
    """Read cells of a table as numbers, and explain those that are none."""
    cells = text.split("\n")
    numbers, wrong = read_numbers(cells)
    assert len(numbers) == len(cells)
    assert not any(math.isinf(number) for number in numbers.tolist())
    for position in wrong:
        assert explain_number(cells[position])


def read_url(text: str) -> None:
    """Read the address of a receiver of alerts."""
    url = parse_url(text)
    parse_literal(url.host)


@contextmanager
def open_links() -> Iterator[Parse]:
    """Yield what checks a signed link, which none of these is."""
    with open_database() as database:
        links = LinkService(database, auth=False)

        def parse(data: bytes) -> None:
            path, _, query = decode(data).partition("?")
            links.open(path, parse_query(encode(query)))

        yield parse


TARGETS = (
    Target(
        "frequency aliases", of_text(read_frequency), seeds_of("h", "15min", "W-SUN", "QS-FEB", "2BME", "SMS-15"),
        (FrequencyError,), of_grammar(grammars.FREQUENCIES),
    ),
    Target(
        "timestamps and zones", of_text(read_times),
        seeds_of("UTC\n2024-03-01T00:00:00Z",
        "Europe/Berlin\n2024-03-31T02:30\n2024-10-27T02:30:00.5+01:00\n20240301"),
        (TimezoneError,), of_grammar(grammars.TIMES),
    ),
    Target(
        "moments", of_text(lambda text: parse_moment(text, "query.since")), seeds_of("2024-03-01",
        "2024-03-01T00:00:00Z"),
        (ServiceError,), of_grammar({**grammars.TIMES, "start": ["<time>"]}),
    ),
    Target("durations", of_text(read_duration), seeds_of("24h", "7D"), (ServiceError,),
    of_grammar(grammars.DURATIONS)),
    Target(
        "query filters", of_text(read_filters),
        seeds_of("label=a:b&label=c:d", "start=2024-03-01&end=2024-04-01T00:00:00+01:00",
        "columns=date:ds,value:y,note:"),
        (ServiceError,), of_grammar(grammars.QUERIES),
    ),
    Target(
        "forecast queries", of_text(read_forecast_query),
        seeds_of("model=bikes&series=a&series=b&horizon=24&quantiles=0.1,0.9&point=mean", "model=bikes&series=a"),
        (ServiceError,), of_grammar(grammars.QUERIES),
    ),
    Target(
        "PromQL selectors", of_text(read_promql),
        seeds_of('bikes:predicted{series=~"a|b",quantile="0.9"} offset 5m @ 1700000000', 'bikes:breach{above="5"}',
        "1+2*3"),
        (ServiceError,), of_grammar(grammars.PROMQL), most_mb=128,
    ),
    Target(
        "label matchers", of_text(read_matcher), seeds_of("job\n~a|b", "instance\n~(?i)[a-z]+:\\d{4}", "job\nnode"),
        (ServiceError,), of_grammar(grammars.MATCHERS), most_mb=256,
    ),
    Target(
        "templates of ids", of_text(read_template), seeds_of("{__name__}/{instance}", "a {b} c"), (ServiceError,),
        of_grammar(grammars.TEMPLATES),
    ),
    Target(
        "cron schedules", of_text(read_cron), seeds_of("UTC\n0 3 * * *", "Europe/Berlin\n*/15 9-17 1,15 * mon-fri"),
        (ServiceError, TimezoneError), of_grammar(grammars.CRON),
    ),
    Target(
        "cursors", of_text(read_cursor),
        lambda: [encode(encode_cursor(*key)) for key in ((7, "bikes/1"), (7, "日本"), (-1, ""), ("a",), (1,))],
        (ServiceError,),
        of_grammar({"start": ["WzFd", "<part><part>", "<part>"], "part": ["WzcsImEiXQ", "Wzcs", "WyJ", "W1tb", "MV0",
        "IiJd", "=", "-_", "e30", "bnVsbA"]}),
    ),
    Target(
        "signed links", open_links,
        seeds_of("/charts/a?series=b&expires=1764374400&key=0&signature=AAAA"), (ServiceError,),
        of_grammar(grammars.LINKS),
    ),
    Target("cookies", of_text(read_cookies), seeds_of(f"a=b; {SESSION}=abc"), (ServiceError,),
    of_grammar(grammars.COOKIES)),
    Target(
        "headers", of_text(read_headers), seeds_of("text/csv; charset=utf-8",
        "application/vnd.apache.parquet, */*;q=0.1"),
        (ServiceError,), of_grammar(grammars.HEADERS),
    ),
    Target(
        "forwarded addresses", of_text(read_forwarded), seeds_of("203.0.113.7, 127.0.0.1", "fe80::1%eth0"), (),
        of_grammar({"start": ["<one>", "<one>, <start>", "<one>\n<one>"],
                    "one": ["127.0.0.1", "::1", "fe80::1%eth0", "1.2.3.4:80", "unknown", "", "127.1", "[::1]",
                            "1.2.3.٣"]}),
    ),
    Target("addresses", of_text(read_url), seeds_of("https://example.org:8443/hook?a=b"), (AddressRefused,),
    of_grammar(grammars.URLS)),
    Target(
        "names of models", of_text(parse_reference), seeds_of("bikes@7.3", "auto:15min"), (ServiceError,),
        of_grammar(grammars.REFERENCES),
    ),
    Target("cells", of_text(read_cells), seeds_of("1\n2.5\n-3e5\n\nNA", "1,5\n1.234,5"), (),
    of_grammar(grammars.CELLS)),
)  # fmt: skip
"""parsers of texts"""
