"""What becomes of the bytes of a request: the same verdicts as in the chain, and the projects of its sender."""

import gzip
import json
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.collect.collector_limits import CollectorLimits, RequestRefused
from streams.collect.event_lines import SentLine, split, unpack, validate_lines
from streams.events import VALUE_BYTES_MAX, EventBounds, Reason, VisitEvent, validate

NOW_MS = 1_788_242_592_345
LIMITS = CollectorLimits(events_max=5)
BOUNDS = EventBounds(pseudonyms_only=True)
ANY_VISITOR = EventBounds()
MBN = ("mbn",)
EVENT = {"v": 1, "id": "a", "ts": NOW_MS, "visitor": "9f2c" * 16, "service": "NOTES"}


def line(number: int = 1, **members: object) -> SentLine:
    return number, orjson.dumps(EVENT | members)


def test_lines_are_numbered_as_an_editor_does() -> None:
    found = split(b"\n{}\r\n\t \n {1} \n", is_one_event=False, limits=LIMITS)
    assert found == [(2, b"{}"), (4, b"{1}")]


def test_one_event_may_go_over_several_lines() -> None:
    text = json.dumps(EVENT, indent=2).encode()
    (only,) = split(b"\n" + text + b"\n", is_one_event=True, limits=LIMITS)
    assert only == (1, text)
    assert validate_lines([only], MBN, BOUNDS, NOW_MS).refused == []


@pytest.mark.parametrize(
    ("body", "is_one_event", "status"),
    [
        (b"", False, 400),
        (b"\n \r\n", False, 400),
        (b" ", True, 400),
        (b"{}\n" * 6, False, 413),
        (b"\n" * 99, False, 413),
    ],
)
def test_none_or_too_many(body: bytes, is_one_event: bool, status: int) -> None:
    with pytest.raises(RequestRefused) as raised:
        split(body, is_one_event=is_one_event, limits=LIMITS)
    assert raised.value.status == status


def test_gzip_is_unpacked_within_a_bound() -> None:
    assert unpack(gzip.compress(b"ab") + gzip.compress(b"c"), 3) == b"abc"
    bomb = gzip.compress(b"\0" * (1 << 24))
    for body, status in [
        (bomb, 413),
        (gzip.compress(b"abcd"), 413),
        (b"{}", 400),
        (b"", 400),
        (gzip.compress(b"abc")[:-1], 400),
        (gzip.compress(b"abc")[:-4] + b"0000", 400),
        (gzip.compress(b"abc") + b"rubbish", 400),
        (zlib.compress(b"abc"), 400),
    ]:
        with pytest.raises(RequestRefused) as raised:
            unpack(body, 3)
        assert raised.value.status == status, body[:20]
    with pytest.raises(RequestRefused, match="its end is missing"):
        unpack(gzip.compress(b"abc")[:-1], 3)


def test_a_token_speaks_for_its_projects_alone() -> None:
    lines = [line(1), line(2, project="mbn"), line(3, project="other"), line(4, project=None), line(5, project="MBN")]
    one = validate_lines(lines, MBN, BOUNDS, NOW_MS)
    assert [(each.line, each.reason) for each in one.refused] == [(3, Reason.OTHER_PROJECT), (5, Reason.OTHER_PROJECT)]
    assert {json.loads(value)["project"] for _key, value in one.records} == {"mbn"}
    assert one.accepted == {"mbn": 3}
    several = validate_lines(lines, ("mbn", "other"), BOUNDS, NOW_MS)
    assert several.accepted == {"mbn": 1, "other": 1}
    assert [each.line for each in several.refused] == [1, 4, 5]


@pytest.mark.parametrize(
    "value",
    [
        b'{"project":"other",%s,"project":"mbn"}',  # the last one holds for every reader
        b'{"project":"mbn",%s,"project":"other"}',
        b'{"\\u0070roject":"other",%s}',
        b'{"project":null,%s}',
        b'{%s , "x":{"project":"other"} } ',
    ],
)
def test_whatever_is_written_kafka_gets_a_project_of_the_token(value: bytes) -> None:
    body = value % orjson.dumps(EVENT)[1:-1]
    found = validate_lines([(1, body.strip())], MBN, BOUNDS, NOW_MS)
    for _key, sent in found.records:
        event = validate(sent, NOW_MS, BOUNDS)
        assert isinstance(event, VisitEvent)
        assert event.project == json.loads(sent)["project"] == "mbn"
    assert len(found.records) + len(found.refused) == 1


def test_with_its_project_an_event_may_be_too_large() -> None:
    padded = orjson.dumps(EVENT | {"x": ""})
    padding = "x" * (VALUE_BYTES_MAX - len(padded))
    found = validate_lines([line(1, x=padding)], MBN, BOUNDS, NOW_MS)
    assert [each.reason for each in found.refused] == [Reason.TOO_LARGE]


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.dictionaries(
                st.sampled_from(["v", "id", "ts", "visitor", "project"]), st.sampled_from([1, "a", None, NOW_MS])
            ).map(lambda members: orjson.dumps(EVENT | members)),
        ),
        max_size=8,
    )
)
def test_the_verdicts_are_those_of_the_chain(values: list[bytes]) -> None:
    lines = list(enumerate(values))
    found = validate_lines(lines, MBN, ANY_VISITOR, NOW_MS)
    refused = {each.line: each.reason for each in found.refused}
    for number, value in lines:
        verdict = validate(value, NOW_MS, ANY_VISITOR)
        if isinstance(verdict, Reason):
            assert refused[number] is verdict
        else:
            assert (refused.get(number) is Reason.OTHER_PROJECT) == (verdict.project not in (None, "mbn"))
    assert len(found.records) == len(lines) - len(refused) == found.accepted.total()


@pytest.mark.parametrize(
    "visitor", ["amelie.dupont@example.org", "a" * 60 + "@x.fr", "adupont", "31415", "12345678901", "ae" * 10]
)
def test_what_is_no_pseudonym_is_refused_unless_that_is_switched_off(visitor: str) -> None:
    (refused,) = validate_lines([line(1, visitor=visitor)], MBN, BOUNDS, NOW_MS).refused
    assert refused.reason is Reason.NOT_PSEUDONYMOUS
    assert len(validate_lines([line(1, visitor=visitor)], MBN, ANY_VISITOR, NOW_MS).records) == 1
    for good in ("9f2c" * 16, "5f0c4a52-8a0e-4b3b-9f67-6c9d2a1b7e11", "QEXAn1o0dT2s9v8b7c6d5e"):
        assert validate_lines([line(1, visitor=good)], MBN, BOUNDS, NOW_MS).refused == []
