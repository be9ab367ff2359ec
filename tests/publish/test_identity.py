"""Pseudonyms and event ids."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import InputError
from streams.events import ID_CHARACTERS_MAX, VISITOR_CHARACTERS_MAX
from streams.publish import new_event_id, pseudonym
from streams.publish.event import ProjectSecrets
from streams.publish.producer import murmur2
from streams.publish.readers import secrets_from

#: RFC 4231, test cases 1, 2 and 6.
VECTORS = [
    (b"\x0b" * 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (
        b"\xaa" * 131,
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]


@pytest.mark.parametrize(("secret", "user_id", "expected"), VECTORS)
def test_pseudonym_is_hmac_sha_256(secret: bytes, user_id: str, expected: str) -> None:
    assert pseudonym(secret, user_id) == expected


@given(secret=st.text(min_size=1), user_id=st.text(min_size=1, alphabet=st.characters(codec="utf-8")))
def test_text_is_utf_8(secret: str, user_id: str) -> None:
    try:
        key = secret.encode()
    except UnicodeEncodeError:
        return
    expected = hmac.new(key, user_id.encode(), hashlib.sha256).hexdigest()
    assert pseudonym(secret, user_id) == pseudonym(key, user_id) == expected
    assert len(expected) <= VISITOR_CHARACTERS_MAX


@pytest.mark.parametrize(("secret", "user_id"), [(b"", "a"), ("", "a"), (b"secret", "")])
def test_nothing_is_no_pseudonym(secret: bytes | str, user_id: str) -> None:
    with pytest.raises(InputError, match="not empty"):
        pseudonym(secret, user_id)


def test_event_ids_are_ulids() -> None:
    # The time part of the ULID specification's example.
    assert new_event_id(1469918176385).startswith("01ARYZ6S41")
    assert len(new_event_id()) == 26 <= ID_CHARACTERS_MAX
    assert len({new_event_id(5) for _ in range(1000)}) == 1000


@given(st.integers(0, 2**48 - 2))
def test_event_ids_sort_by_time(ts_ms: int) -> None:
    assert new_event_id(ts_ms) < new_event_id(ts_ms + 1)


def test_published_vectors() -> None:
    vectors = json.loads((Path(__file__).parents[2] / "docs" / "contract" / "vectors.json").read_text())["pseudonyms"]
    assert len(vectors) >= 5
    for each in vectors:
        secret = secrets_from({"VIGIE_SECRET_X": each["secret"]}, 16)("x")
        assert pseudonym(secret, each["user_id"]) == each["visitor"]
        assert murmur2(each["visitor"].encode()) == each["murmur2"]
        for partitions in (8, 12):
            assert (each["murmur2"] & 0x7FFFFFFF) % partitions == each[f"partition_of_{partitions}"]


@pytest.mark.parametrize("digits", [310, 4300, 5000])
def test_a_number_of_hundreds_of_digits_is_no_user(digits: int) -> None:
    """Python itself does not write numbers of more than 4,300 digits."""
    for user_id in (10**digits, -(10**digits)):
        with pytest.raises(InputError, match="hundreds of digits"):
            pseudonym(b"0123456789abcdef", user_id)


@pytest.mark.parametrize("project", [[], {}, 3, b"mbn", True, ("mbn",)])
def test_a_project_is_text(project: object) -> None:
    with pytest.raises(InputError, match=r"project of an event is its code, as text, not .*secrets of mbn"):
        ProjectSecrets({"mbn": b"0123456789abcdef"}).of(project)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "secrets", [["mbn"], {"mbn": None}, {"mbn": 3}, {3: b"0123456789abcdef"}, "mbn", {"mbn": "\ud800" * 16}]
)
def test_secrets_are_text_or_bytes_by_project(secrets: object) -> None:
    with pytest.raises(InputError, match="secret"):
        ProjectSecrets(secrets)  # type: ignore[arg-type]
