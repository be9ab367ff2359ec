"""The published contract: current, and of one mind with the code that judges events."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streams.events import EventBounds, Reason, VisitEvent, validate
from tests.test_repository import ROOT, load_script

FOLDER = ROOT / "docs" / "contract"
NOW_MS = 1_788_242_592_345
#: Age is no matter of structure: everything from 1970 on is young enough here, everything until 2286 is not ahead.
ANY_AGE = EventBounds(ahead_ms_max=10**13, age_ms_max=NOW_MS)


@pytest.fixture(scope="module")
def schema() -> Any:
    return json.loads((FOLDER / "visit-event.schema.json").read_text())


@pytest.fixture(scope="module")
def asyncapi() -> Any:
    return json.loads((FOLDER / "asyncapi.json").read_text())


def test_it_is_current() -> None:
    for name, text in load_script("contract").written().items():
        assert (FOLDER / name).read_text() == text, f"docs/contract/{name}: run `make tables`"


def test_every_member_is_described_and_documented(schema: Any) -> None:
    assert list(schema["properties"]) == list(VisitEvent.__struct_fields__)
    assert all(member["description"] for member in schema["properties"].values())
    text = (ROOT / "docs" / "integration.md").read_text()
    assert [name for name in schema["properties"] if f"`{name}`" not in text] == []


_TEXTS = st.sampled_from(["", "a", "é" * 64, "x" * 64, "x" * 65, "x" * 128, "x" * 129])
_ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2**40), st.just(NOW_MS), _TEXTS, st.just([]), st.just({"a": 1})
)
_GOOD = {"v": 1, "id": "a", "ts": NOW_MS, "visitor": "b"}


@given(
    changed=st.dictionaries(st.sampled_from([*VisitEvent.__struct_fields__, "other"]), _ANYTHING, max_size=4),
    absent=st.sets(st.sampled_from(sorted(_GOOD)), max_size=1),
)
def test_schema_and_code_agree(schema: Any, changed: dict[str, Any], absent: set[str]) -> None:
    document = {name: value for name, value in {**_GOOD, **changed}.items() if name not in absent}
    accepted = not isinstance(validate(json.dumps(document).encode(), NOW_MS, ANY_AGE), Reason)
    assert Draft202012Validator(schema).is_valid(document) == accepted, document


@pytest.mark.parametrize("document", [[], None, 1, "x"])
def test_schema_wants_an_object(schema: Any, document: object) -> None:
    assert not Draft202012Validator(schema).is_valid(document)


def test_examples_hold(schema: Any, asyncapi: Any) -> None:
    Draft202012Validator.check_schema(schema)
    examples = [
        *schema["examples"],
        *(each["payload"] for each in asyncapi["components"]["messages"]["visit"]["examples"]),
    ]
    assert examples
    for example in examples:
        Draft202012Validator(schema).validate(example)


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for value in node for found in _references(value)] if isinstance(node, list) else []


def test_asyncapi_speaks_of_what_exists(asyncapi: Any) -> None:
    references = _references(asyncapi)
    assert references
    for reference in references:
        node = asyncapi
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    headers = asyncapi["components"]["messages"]["rejectedVisit"]["headers"]["properties"]
    assert headers["reason"]["enum"] == [reason.value for reason in Reason]
    assert {each["address"] for each in asyncapi["channels"].values()} == {"ent.visits", "ent.visits.rejected"}
