"""The contract: every input ends in an event or in one reason, and the fast way gives the same verdicts as the slow one."""

import json
import random
from dataclasses import replace

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from streams.events import (
    ID_CHARACTERS_MAX,
    PSEUDONYM_CHARACTERS_MIN,
    VALUE_BYTES_MAX,
    VISITOR_CHARACTERS_MAX,
    EventBounds,
    Reason,
    VisitEvent,
    _why_refused,
    decode,
    validate,
    validate_all,
    validate_together,
)

APPEND_MS = 1_788_242_592_345
BOUNDS = EventBounds(pseudonyms_only=True)
VISITOR = "9f2c4ad07e5b4c118a7d21ff03b6e8aa"
GOOD = {
    "v": 1,
    "id": "01J",
    "ts": APPEND_MS,
    "project": "mbn",
    "uai": "0541234Y",
    "service": "CAHIER_TEXTES",
    "profile": "ELEVE",
    "visitor": VISITOR,
}


def changed(**members: object) -> bytes:
    """The good event with some members changed; `...` removes one."""
    return orjson.dumps({name: value for name, value in {**GOOD, **members}.items() if value is not ...})


#: Fifty kinds of broken events and the one reason each must be given.
BROKEN: dict[str, tuple[bytes | None, Reason]] = {
    "tombstone": (None, Reason.EMPTY),
    "zero bytes": (b"", Reason.EMPTY),
    "a space": (b" ", Reason.NOT_JSON),
    "garbage": (b"garbage", Reason.NOT_JSON),
    "binary": (b"\x00\x01\x02\xff", Reason.NOT_JSON),
    "truncated": (changed()[:-1], Reason.NOT_JSON),
    "truncated in a string": (changed()[:30], Reason.NOT_JSON),
    "two objects": (changed() + changed(), Reason.NOT_JSON),
    "two objects and a space": (changed() + b" " + changed(), Reason.NOT_JSON),
    "two objects on two lines": (changed() + b"\n" + changed(), Reason.NOT_JSON),
    "trailing comma": (changed()[:-1] + b",}", Reason.NOT_JSON),
    "single quotes": (changed().replace(b'"', b"'"), Reason.NOT_JSON),
    "byte order mark": (b"\xef\xbb\xbf" + changed(), Reason.NOT_JSON),
    "utf-16": (changed().decode().encode("utf-16"), Reason.NOT_JSON),
    "invalid utf-8 in id": (changed(id="@@").replace(b"@@", b"\xff\xfe"), Reason.NOT_JSON),
    "lone surrogate": (changed(id="@@").replace(b"@@", b"\\ud800"), Reason.NOT_JSON),
    "raw newline in a string": (changed(id="@@").replace(b"@@", b"a\nb"), Reason.NOT_JSON),
    "NaN": (changed(ts=0).replace(b'"ts":0', b'"ts":NaN'), Reason.NOT_JSON),
    "comment": (b"/* x */" + changed(), Reason.NOT_JSON),
    "deep nesting": (b"[" * 4000, Reason.NOT_JSON),
    "deep nesting in an unknown member": (b'{"x":' + b"[" * 4000, Reason.NOT_JSON),
    "xml": (b"<event/>", Reason.NOT_JSON),
    "a number beyond all ranges": (changed(ts=0).replace(b'"ts":0', b'"ts":1e999'), Reason.NOT_JSON),
    "a member missing, and no UTF-8 in another": (changed(id=..., x="@@").replace(b"@@", b"\xff"), Reason.NOT_JSON),
    "ill-typed, and no UTF-8 in another": (changed(id=1, x="@@").replace(b"@@", b"\xff"), Reason.NOT_JSON),
    "ill-typed, and cut off": (changed(v="1")[:-1], Reason.NOT_JSON),
    "ill-typed, and something behind": (changed(v="1") + b"x", Reason.NOT_JSON),
    "array": (b"[1,2]", Reason.NOT_OBJECT),
    "array of an event": (b"[" + changed() + b"]", Reason.NOT_OBJECT),
    "string": (b'"x"', Reason.NOT_OBJECT),
    "number": (b"12", Reason.NOT_OBJECT),
    "null": (b"null", Reason.NOT_OBJECT),
    "true": (b"true", Reason.NOT_OBJECT),
    "version 2": (changed(v=2), Reason.UNSUPPORTED_VERSION),
    "version 0": (changed(v=0), Reason.UNSUPPORTED_VERSION),
    "version 1.5": (changed(v=1.5), Reason.UNSUPPORTED_VERSION),
    "version 2 with another shape": (changed(v=2, id={"a": 1}), Reason.UNSUPPORTED_VERSION),
    "version 2, and too little": (b'{"v":2}', Reason.UNSUPPORTED_VERSION),
    "no id, and a number beyond all ranges": (
        changed(id=..., x=0).replace(b'"x":0', b'"x":1e999'),
        Reason.MISSING_MEMBER,
    ),
    "no id, and an object": (changed(id=..., x={"é": {}}), Reason.MISSING_MEMBER),
    "no id, and ts a string": (changed(id=..., ts=""), Reason.MISSING_MEMBER),
    "no v": (changed(v=...), Reason.MISSING_MEMBER),
    "no id": (changed(id=...), Reason.MISSING_MEMBER),
    "no ts": (changed(ts=...), Reason.MISSING_MEMBER),
    "no visitor": (changed(visitor=...), Reason.MISSING_MEMBER),
    "nothing": (b"{}", Reason.MISSING_MEMBER),
    "v a string": (changed(v="1"), Reason.ILL_TYPED),
    "v a boolean": (changed(v=True), Reason.ILL_TYPED),
    "id a number": (changed(id=12), Reason.ILL_TYPED),
    "id null": (changed(id=None), Reason.ILL_TYPED),
    "ts a string": (changed(ts=str(APPEND_MS)), Reason.ILL_TYPED),
    "ts with a fraction": (changed(ts=APPEND_MS + 0.5), Reason.ILL_TYPED),
    "ts null": (changed(ts=None), Reason.ILL_TYPED),
    "visitor a list": (changed(visitor=["a"]), Reason.ILL_TYPED),
    "service a number": (changed(service=9), Reason.ILL_TYPED),
    "uai an object": (changed(uai={}), Reason.ILL_TYPED),
    "device a boolean": (changed(device=True), Reason.ILL_TYPED),
    "ts a string, and a number beyond all ranges": (
        changed(ts="", x=0).replace(b'"x":0', b'"x":1e999'),
        Reason.ILL_TYPED,
    ),
    "empty id, and service a number": (changed(id="", service=9), Reason.ILL_TYPED),
    "id too long, and service a number": (changed(id="x" * 65, service=9), Reason.ILL_TYPED),
    "empty id, visitor too long": (changed(id="", visitor="x" * 129), Reason.EMPTY_MEMBER),
    "empty id": (changed(id=""), Reason.EMPTY_MEMBER),
    "empty visitor": (changed(visitor=""), Reason.EMPTY_MEMBER),
    "id too long": (changed(id="x" * (ID_CHARACTERS_MAX + 1)), Reason.TOO_LONG),
    "visitor too long": (changed(visitor="x" * (VISITOR_CHARACTERS_MAX + 1)), Reason.TOO_LONG),
    "value too large": (changed(pad="x" * VALUE_BYTES_MAX), Reason.TOO_LARGE),
    "too old": (changed(ts=APPEND_MS - BOUNDS.age_ms_max - 1), Reason.TOO_OLD),
    "negative ts": (changed(ts=-1), Reason.TOO_OLD),
    "seconds instead of milliseconds": (changed(ts=APPEND_MS // 1000), Reason.TOO_OLD),
    "too far ahead": (changed(ts=APPEND_MS + BOUNDS.ahead_ms_max + 1), Reason.TOO_FAR_AHEAD),
    "an address": (changed(visitor="amelie.dupont@ent.example.org"), Reason.NOT_PSEUDONYMOUS),
    "an address in escapes": (
        changed(visitor="@@").replace(b"@@", b"amelie.dupont\\u0040ent.example.org"),
        Reason.NOT_PSEUDONYMOUS,
    ),
    "a name": (changed(visitor="Amélie Dupont, classe de 4e B"), Reason.NOT_PSEUDONYMOUS),
    "a name in ASCII": (changed(visitor="Amelie Dupont classe de 4e B"), Reason.NOT_PSEUDONYMOUS),
    "a long login": (changed(visitor="jean-baptiste.delafontaine12"), Reason.NOT_PSEUDONYMOUS),
    "a login": (changed(visitor="adupont"), Reason.NOT_PSEUDONYMOUS),
    "a number": (changed(visitor="12345678901"), Reason.NOT_PSEUDONYMOUS),
    "letters, one fewer than may be base 32": (
        changed(visitor="a" * (PSEUDONYM_CHARACTERS_MIN - 1)),
        Reason.NOT_PSEUDONYMOUS,
    ),
    "a short login": (changed(visitor="bob"), Reason.NOT_PSEUDONYMOUS),
    "a telephone": (changed(visitor="0612345678"), Reason.NOT_PSEUDONYMOUS),
    "a short number": (changed(visitor="7"), Reason.NOT_PSEUDONYMOUS),
    "a login with a dot": (changed(visitor="a.dupont2"), Reason.NOT_PSEUDONYMOUS),
    "an address, too old": (changed(visitor="a@b", ts=0), Reason.TOO_OLD),
    "ts beyond 64 bits": (changed(ts=0).replace(b'"ts":0', b'"ts":99999999999999999999999'), Reason.TOO_FAR_AHEAD),
}

ACCEPTED: dict[str, bytes] = {
    "plain": changed(),
    "only what is required": changed(project=..., uai=..., service=..., profile=...),
    "codes null": changed(project=None, uai=None, service=None, profile=None),
    "codes empty": changed(project="", uai="", service="", profile=""),
    "unknown members": changed(extra={"a": [1, 2]}, other=None),
    "pretty-printed": orjson.dumps(GOOD, option=orjson.OPT_INDENT_2),
    "carriage return": changed() + b"\r",
    "id of 64": changed(id="x" * ID_CHARACTERS_MAX),
    "visitor of 128": changed(visitor="0" * VISITOR_CHARACTERS_MAX),
    "a short hash": changed(visitor="9f2c"),
    "letters and a digit": changed(visitor="v1"),
    "a word and a number": changed(visitor="visitor-000123"),
    "a number of 16 digits": changed(visitor="1234567890123456"),
    "visitor of 22": changed(visitor="QEXAn1o0dT2s9v8b7c6d5e"),
    "visitor in base64": changed(visitor="q3-_Zz0+/aB9q3-_Zz0+/aB9=="),
    "a hash with a prefix and a dot": changed(visitor="mbn.9f2c4ad07e5b4c118a7d21"),
    "a UUID": changed(visitor="5f0c4a52-8a0e-4b3b-9f67-6c9d2a1b7e11"),
    "an address elsewhere": changed(id="a@b.example.org", service="mail to x@y.fr", visitor=VISITOR),
    "just old enough": changed(ts=APPEND_MS - BOUNDS.age_ms_max),
    "just ahead enough": changed(ts=APPEND_MS + BOUNDS.ahead_ms_max),
    "a member twice": changed()[:-1] + b',"id":"other"}',
}


@pytest.mark.parametrize("kind", BROKEN)
def test_each_broken_kind_has_its_reason(kind: str) -> None:
    value, reason = BROKEN[kind]
    assert validate(value, APPEND_MS, BOUNDS) is reason


@pytest.mark.parametrize("kind", BROKEN)
def test_no_reason_depends_on_how_msgspec_words_its_errors(kind: str) -> None:
    value, reason = BROKEN[kind]
    if reason not in (Reason.EMPTY, Reason.TOO_LARGE, Reason.TOO_OLD, Reason.TOO_FAR_AHEAD, Reason.NOT_PSEUDONYMOUS):
        assert _why_refused(value or b"", msgspec.ValidationError("said in another way")) is reason


def test_there_are_fifty_kinds_and_every_reason_is_among_them() -> None:
    assert len(BROKEN) >= 50
    # `corrupt` is said of a batch whose records nobody can read, `other_project` of what a collector does not take.
    assert {reason for _value, reason in BROKEN.values()} == set(Reason) - {Reason.CORRUPT, Reason.OTHER_PROJECT}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_accepted(kind: str) -> None:
    assert isinstance(validate(ACCEPTED[kind], APPEND_MS, BOUNDS), VisitEvent)


def test_value_of_exactly_4096_bytes_is_accepted() -> None:
    value = changed(pad="")
    value = changed(pad="x" * (VALUE_BYTES_MAX - len(value)))
    assert len(value) == VALUE_BYTES_MAX
    assert isinstance(validate(value, APPEND_MS, BOUNDS), VisitEvent)
    assert decode(changed(pad="x" * (VALUE_BYTES_MAX - len(changed(pad="")) + 1))) is Reason.TOO_LARGE


def test_halves_that_a_double_value_makes_up_for_are_not_taken_for_events() -> None:
    # Joined by newlines these are three objects in three lines: msgspec reads two objects on one line.
    whole = changed()
    cut = whole.index(b'"ts"')  # between two members: joined by a newline the halves are one object
    values = [whole[:cut], whole[cut:], whole + b" " + whole]
    assert validate_all(values, APPEND_MS, BOUNDS) == ([], [0, 1, 2], [Reason.NOT_JSON] * 3)


def same_verdicts(values: list[bytes | None], bounds: EventBounds = BOUNDS) -> None:
    one_by_one = [validate(value, APPEND_MS, bounds) for value in values]
    good, at, reasons = validate_all(values, APPEND_MS, bounds)
    rejected = list(zip(at, reasons, strict=True))
    # Of two struct types, one of which holds that visitors are long: compared by what they hold.
    assert list(map(astuple, good)) == [astuple(found) for found in one_by_one if isinstance(found, VisitEvent)]
    assert rejected == [(i, found) for i, found in enumerate(one_by_one) if isinstance(found, Reason)]


pieces = st.sampled_from([value for value, _ in BROKEN.values()] + list(ACCEPTED.values()))
halves = st.builds(lambda value, at: (value or b"x")[:at], pieces, st.integers(1, 200))


@given(st.lists(st.one_of(pieces, halves, st.binary(max_size=40)), max_size=12))
def test_many_at_once_equal_one_by_one(values: list[bytes | None]) -> None:
    same_verdicts(values)
    same_verdicts(values, replace(BOUNDS, pseudonyms_only=False))


around = [edge + by for edge in (APPEND_MS - BOUNDS.age_ms_max, APPEND_MS + BOUNDS.ahead_ms_max) for by in (-9, 0, 9)]
timed = st.builds(changed, ts=st.sampled_from([APPEND_MS, *around]), visitor=st.sampled_from([VISITOR, "a.b@c.fr"]))


@given(st.lists(st.tuples(timed | pieces, st.integers(0, 9)), min_size=1, max_size=6))
def test_batches_validated_together_equal_one_by_one(batches: list[tuple[bytes | None, int]]) -> None:
    values, appended = [value for value, _later in batches], [APPEND_MS + later for _value, later in batches]
    found = validate_together(values, min(appended), max(appended), BOUNDS)
    if found is None:  # then verdicts hang on the append time, or might
        assert min(appended) < max(appended)
        return
    good, at, reasons = found
    one_by_one = [validate(value, append_ms, BOUNDS) for value, append_ms in zip(values, appended, strict=True)]
    assert list(map(astuple, good)) == [astuple(each) for each in one_by_one if isinstance(each, VisitEvent)]
    assert list(zip(at, reasons, strict=True)) == [(i, r) for i, r in enumerate(one_by_one) if isinstance(r, Reason)]


def test_batches_of_events_that_fit_each_append_time_are_validated_together() -> None:
    assert validate_together([changed(), b"x", changed()], APPEND_MS, APPEND_MS + 9, BOUNDS) is not None


@given(st.lists(st.text("0aA@. é\\-_'", min_size=1, max_size=30), min_size=1, max_size=3))
def test_no_block_hides_who_is_no_pseudonym(visitors: list[str]) -> None:
    same_verdicts([changed(visitor=visitor) for visitor in visitors])
    same_verdicts([json.dumps({**GOOD, "visitor": visitor}).encode() for visitor in visitors])  # é as an escape


def test_who_is_no_pseudonym_counts_where_that_is_switched_off() -> None:
    kinds = [value for value, reason in BROKEN.values() if reason is Reason.NOT_PSEUDONYMOUS]
    good, at, _reasons = validate_all(kinds, APPEND_MS, replace(BOUNDS, pseudonyms_only=False))
    assert (len(good), at) == (len(kinds), [])


@given(st.binary(max_size=120), st.integers(1, 60))
def test_a_good_event_cut_anywhere_around_others(junk: bytes, at: int) -> None:
    whole = changed()
    same_verdicts([whole, whole[:at], whole[at:], whole + junk, whole])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "type", "tool", "device", "x"]), json_values))
@settings(max_examples=300)
def test_any_object_ends_in_an_event_or_a_reason(members: dict[str, object]) -> None:
    same_verdicts([json.dumps({**GOOD, **members}).encode()])
    same_verdicts([json.dumps(members).encode()])


def test_a_million_fuzzed_strings_never_raise() -> None:
    """Mutations of good and broken events, in blocks as they would come in batches."""
    rnd = random.Random(20260901)
    seeds = [value for value in (*ACCEPTED.values(), *(v for v, _ in BROKEN.values())) if value and len(value) < 600]
    verdicts = 0
    accepted = 0
    for _ in range(1000):
        block = [_mutate(rnd, rnd.choice(seeds)) for _ in range(1000)]
        good, at, reasons = validate_all(block, APPEND_MS, BOUNDS)
        verdicts += len(good) + len(at)
        accepted += len(good)
        assert len(at) == len(reasons)
        assert all(isinstance(reason, Reason) for reason in reasons)
    assert verdicts == 1_000_000
    assert 0 < accepted < 1_000_000


def _mutate(rnd: random.Random, value: bytes) -> bytes:
    at = rnd.randrange(len(value))
    kind = rnd.randrange(5)
    if kind == 0:
        return value[:at] + bytes([rnd.randrange(256)]) + value[at + 1 :]
    if kind == 1:
        return value[:at] + value[at + rnd.randrange(1, 8) :]
    if kind == 2:
        return value[:at] + rnd.randbytes(rnd.randrange(1, 4)) + value[at:]
    if kind == 3:
        return value[:at] + value[: rnd.randrange(len(value))]
    return rnd.randbytes(rnd.randrange(1, 60))
