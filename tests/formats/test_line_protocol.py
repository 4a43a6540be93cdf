"""Line protocol: what is a sample, whose it is, when it is, and which line is the first bad one."""

import random

import pytest

from app.formats.line_protocol import LONGEST_LINE, PRECISIONS, read_lines
from app.formats.samples import FIRST_NEW, MOST_SAMPLES, SampleError

NOW = 1_704_067_200_000_000
Read = list[tuple[dict[str, str], int, float]]


def read(text: str, precision: str = "ns") -> Read:
    found = read_lines(text.encode(), PRECISIONS[precision], NOW, {})
    rows = zip(found.sources.tolist(), found.ts.tolist(), found.values.tolist(), strict=True)
    return [(dict(found.new.labels[FIRST_NEW - source]), ts, value) for source, ts, value in rows]


def test_each_number_is_a_sample_and_texts_are_none() -> None:
    found = read('cpu,host=h1 idle=98.5,cores=4i,up=t,seen=3u,name="x y" 1704067200000000000')
    own = {"__name__": "cpu", "host": "h1"}
    assert sorted(found, key=lambda one: one[0]["field"]) == [
        (own | {"field": "cores"}, NOW, 4.0),
        (own | {"field": "idle"}, NOW, 98.5),
        (own | {"field": "seen"}, NOW, 3.0),
        (own | {"field": "up"}, NOW, 1.0),
    ]
    assert read('log msg="nothing"') == []


def test_a_line_without_a_time_is_of_now_and_precisions_count() -> None:
    assert [ts for _, ts, _ in read("m v=1\nm v=2 5")] == [NOW, 0]
    for precision, time, us in (("us", 7, 7), ("ms", 7, 7000), ("s", 7, 7_000_000), ("m", 1, 60_000_000)):
        assert [ts for _, ts, _ in read(f"m v=1 {time}", precision)] == [us]
    assert [ts for _, ts, _ in read("m v=1 2", "h")] == [7_200_000_000]


def test_what_is_escaped_names_the_same_source_each_time() -> None:
    line = "a\\ b,c\\,d=e\\ f,g=\\=h v\\ w=1 5"
    expected = {"__name__": "a b", "c,d": "e f", "g": "=h", "field": "v w"}
    assert read(f"{line}\n{line}") == [(expected, 0, 1.0)] * 2
    content = f"{line}\nm,a=b v=1".encode()
    new = read_lines(content, 1, NOW, {}).new
    assert len(new.labels) == 2
    known = {key: place for place, key in enumerate(new.numbers)}
    again = read_lines(content, 1, NOW, known)
    assert (again.sources.tolist(), again.new.labels) == ([0, 1], [])


def test_quotes_are_ordinary_in_tags() -> None:
    found = read('m,t=15" f=1 5000\nm,t=x f=2 6000\nm,t=a\\ "b s="x\ny",f=3 7000')
    assert [(labels["t"], ts, value) for labels, ts, value in found] == [
        ('15"', 5, 1.0),
        ("x", 6, 2.0),
        ('a "b', 7, 3.0),
    ]


def test_tabs_around_a_line_and_comments_behind_one_are_left_out() -> None:
    assert [value for _, _, value in read("\t m f=1 5\n\t#x\n m f=2 5\t")] == [1.0, 2.0]


def test_labels_are_bounded_before_they_are_kept() -> None:
    assert len(read("m,t=" + "x" * 50_000 + " f=1")) == 1
    with pytest.raises(SampleError, match="exceeds max key length"):
        read("m,t=" + "x" * 65_536 + " f=1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("m v=1\n" * (MOST_SAMPLES + 1), f"more than {MOST_SAMPLES} lines"),
        ('m s="' + "x\n" * (MOST_SAMPLES + 1), f"more than {MOST_SAMPLES} lines"),
        ("m v=1\nm " + ",".join(f"f{k}=1" for k in range(200_000)), f"line 2: it has more than {LONGEST_LINE}"),
        (("m " + ",".join(f"f{k}=1" for k in range(100_000)) + "\n") * 6, f"more than {MOST_SAMPLES} samples"),
    ],
)
def test_a_body_of_very_many_parts_is_refused_before_they_are_read(text: str, said: str) -> None:
    with pytest.raises(SampleError, match=said):
        read(text)


def test_tags_do_not_hide_what_a_line_says_of_itself() -> None:
    assert read("m,field=x,__name__=y v=1 5")[0][0] == {"__name__": "m", "field": "v"}


def test_comments_blank_lines_and_texts_over_several_lines_are_read() -> None:
    found = read('# a comment\n\n  \r\nm v=1 5000\r\nm s="one\ntwo \\" three\n",v=2 6000\nm v=3 7000')
    assert [(ts, value) for _, ts, value in found] == [(5, 1.0), (6, 2.0), (7, 3.0)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("m v=1 5\n\n# c\nno line at all\nm v=", 4),
        ("m v=1 x", 1),
        ('m v="a\nb', 1),
        ("m v=1\nm,a= v=1", 2),
        ("m v=nan", 1),
        ("m", 1),
    ],
)
def test_the_first_bad_line_is_named(text: str, number: int) -> None:
    with pytest.raises(SampleError, match=f"^line {number}: "):
        read(text)


def test_a_body_that_is_no_text_is_refused() -> None:
    for content, why in ((b"m v=1\xff", "UTF-8"), (b"m v=1 9000000000000000000", "64 bits")):
        with pytest.raises(SampleError, match=why):
            read_lines(content, PRECISIONS["h"], NOW, {})


def test_nonsense_is_refused_or_read_and_nothing_else() -> None:
    chance = random.Random(1)
    good = 'cpu\\ x,host=h1,r=e\\,u idle=98.5,up=t,n="a b" 1704067200000000000\n'
    for _ in range(5000):
        text = list(good * 2)
        for _ in range(chance.randrange(1, 6)):
            text[chance.randrange(len(text))] = chance.choice('\\ ,="#\n\tñ\r1t')
        try:
            found = read("".join(text))
        except SampleError:
            continue
        assert all(labels["__name__"] and "field" in labels for labels, _, _ in found)
