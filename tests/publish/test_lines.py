"""Which lines are JSON objects, and under which key they go."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.publish.lines import NotAnObject, key_of

OBJECTS = {
    b'{"visitor":"abc"}': b"abc",
    b'  {"visitor":"abc"}\t': b"abc",
    b'{"visitor":"\xc3\xa9\\u00e9"}': "éé".encode(),
    b'{"visitor":""}': b"",
    b"{}": None,
    b'{"visitor":12}': None,
    b'{"visitor":null}': None,
    b'{"visitor":["abc"]}': None,
    # Valid JSON that stricter parsers refuse.
    b'{"visitor":"\\ud800"}': None,
    b'{"visitor":"abc","x":"\\ud800"}': b"abc",
    b'{"visitor":"abc","x":' + b"9" * 5000 + b"}": b"abc",
    b'{"visitor":"abc","x":1e999}': b"abc",
    b'{"a":' * 5000 + b"1" + b"}" * 5000: None,
}
NOT_OBJECTS = {
    b"[1]": "array",
    b'"text"': "string",
    b"12": "number",
    b"true": "true or false",
    b"null": "null",
    b"nope": "not JSON",
    b"{": "one event a line is expected",
    b'{ "v": 1,\r': "one event a line is expected",
    b"[{": "one event a line is expected",
    b"}": "not JSON",
    b'{"visitor":"abc"': "not JSON",
    b'{"visitor":"abc"}{"visitor":"def"}': "not JSON",
    b"{'visitor':'abc'}": "not JSON",
    b'{"x":NaN}': "NaN",
    b'{"x":-Infinity}': "Infinity",
    b'{"x":"\xff"}': "not UTF-8 .byte 7",
    b"\x00\x01\x02": "not JSON",
    b"[" * 100_000: "not an object|not JSON",
    b"\xef\xbb\xbf{}": "not JSON",
}


@pytest.mark.parametrize(("line", "key"), OBJECTS.items(), ids=range(len(OBJECTS)))
def test_objects_are_sent_under_their_visitor(line: bytes, key: bytes | None) -> None:
    assert key_of(line) == key


@pytest.mark.parametrize(("line", "why"), NOT_OBJECTS.items(), ids=range(len(NOT_OBJECTS)))
def test_anything_else_is_refused_with_the_reason(line: bytes, why: str) -> None:
    with pytest.raises(NotAnObject, match=why):
        key_of(line)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_key_or_a_reason(line: bytes) -> None:
    with suppress(NotAnObject):
        assert isinstance(key_of(line), bytes | None)


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.lists(st.floats(allow_nan=False))))
def test_every_object_that_python_writes_is_sent(document: dict[str, object]) -> None:
    key_of(json.dumps(document).replace("Infinity", "1e400").encode())
