"""What a text of a file says: a whole number, a number, a moment, a day. Pure, and strict: what could mean two things is refused.

Files come from programs and from spreadsheets, so blanks between thousands, a decimal comma and `.00` are read. Not read are `1_000`, `1e3`
where a whole number belongs, other digits than 0 to 9, `NaN` and `inf`. Each function raises a ValueError that quotes the text.
"""

import re
from datetime import date, datetime

#: Digits of a whole number; more would not be exact as a float, and are no count.
DIGITS_MAX = 15
YEAR_MIN, YEAR_MAX = 1970, 2199
_BLANKS = " \u00a0\u2009\u202f"  # those that French programs put between thousands
_GROUPED = re.compile(rf"[0-9]{{1,3}}(?:[{_BLANKS}][0-9]{{3}})+(?![0-9])")
_WHOLE = re.compile(rf"([0-9]{{1,{DIGITS_MAX}}})(?:[.,]0{{1,2}})?")
_NUMBER = re.compile(rf"[0-9]{{1,{DIGITS_MAX}}}(?:,[0-9]+|(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{{1,2}})?)")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?) ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_OTHER_ORDER = re.compile(r"[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{2,4}\b.*")
_SETTING = re.compile(rf"-?[0-9]{{1,{DIGITS_MAX}}}")
_SERIAL = re.compile(r"[0-9]{5}(?:[.,][0-9]+)?")
SHOWN_MAX = 40


def quoted(text: str) -> str:
    """The text as a message shows it: in quotes, and cut."""
    return repr(text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…")


def whole(text: str) -> int:
    """A whole number from 0 on: `1234`, `1 234`, `1234.0`, `1234,00`."""
    if not (found := _WHOLE.fullmatch(_ungrouped(text))):
        raise ValueError(f"{quoted(text)} is no count: negative or too large, or no whole number")
    return int(found[1])


def count(column: str, text: str, most: int) -> int:
    """What a column counts: a whole number that is no larger than `most`. The error names the column."""
    try:
        found = whole(text)
    except ValueError as error:
        raise ValueError(f"{column} {error}") from None
    if found > most:
        raise ValueError(f"{column} {found:,} is too large: at most {most:,}")
    return found


def number(text: str) -> float:
    """A number from 0 on: `1234.5`, `1234,5`, `1 234,5`, `1.2e+03`."""
    bare = _ungrouped(text)
    if not _NUMBER.fullmatch(bare):
        raise ValueError(f"{quoted(text)} is no number from 0 on")
    return float(bare.replace(",", "."))


def moment(text: str) -> datetime:
    """A moment: `2026-09-01T06:00`, with seconds, `Z` or an offset where it has them; a day alone is its midnight."""
    if not (found := _MOMENT.fullmatch(text.strip())):
        raise ValueError(
            f"{quoted(text)} is not a time stamp{_hint(text)}: write 2026-09-01T08:00 or 2026-09-01T08:00+02:00"
        )
    day, clock, offset = found.groups()
    try:
        told = datetime.fromisoformat(f"{day}T{clock or '00:00'}{offset or ''}")
        if not YEAR_MIN <= told.year <= YEAR_MAX:
            raise ValueError(f"year must be in {YEAR_MIN}..{YEAR_MAX}")
        return told
    except ValueError as error:
        raise ValueError(f"{error}, in {quoted(text)}") from None


def day(text: str) -> date:
    """A day: `2026-09-01`, or its midnight as a moment."""
    try:
        found = moment(text)
    except ValueError as error:
        raise ValueError(
            str(error).replace("a time stamp", "a day").split(": write")[0] + " (write 2026-09-01)"
        ) from None
    if found.time() != datetime.min.time():
        raise ValueError(f"{quoted(text)} is not a day, it has a time (write 2026-09-01)")
    return found.date()


def check_setting(text: str, *, secret: bool = False) -> None:
    """Hold that a setting is no accident of the file or the shell that it comes from; a secret is not shown, and may be in quotes."""
    if not text.strip():
        raise ValueError("is blank: give a value, or leave it out")
    if text != text.strip() or not text.isprintable():
        raise ValueError(
            "begins or ends with a blank, or holds a line break or a character that is not seen: take it out"
        )
    if not secret and len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        raise ValueError(f"{quoted(text)} is in quotes, which belong to the value here: take them out")


def setting_number(value: object) -> object:
    """What is to be a whole number: nothing but digits where it is a text, and neither true nor false."""
    if isinstance(value, bool) or (isinstance(value, str) and not _SETTING.fullmatch(value)):
        raise ValueError(f"{value!r} is no whole number: write digits alone, 1000 and not 1_000 or 1e3")
    return value


def _ungrouped(text: str) -> str:
    bare = text.strip()
    found = _GROUPED.match(bare)
    return re.sub(f"[{_BLANKS}]", "", found[0]) + bare[found.end() :] if found else bare


def _hint(text: str) -> str:
    if _OTHER_ORDER.fullmatch(text.strip()):
        return ", as nobody knows whether the day or the month comes first"
    return ", it looks like a spreadsheet's own number of a day" if _SERIAL.fullmatch(text.strip()) else ""
