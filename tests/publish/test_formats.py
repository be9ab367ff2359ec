"""Other emitters' formats: what each line becomes; no broker."""

import gzip
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from streams.catalog import Catalog
from streams.cli.publish import publish
from streams.errors import InputError, SettingsError
from streams.events import VisitEvent, decode
from streams.publish.emitter_tables import check_tables, combined_tables, entcore_tables, xiti_tables
from streams.publish.event import pseudonym
from streams.publish.fields import Skip, Unreadable, Visit
from streams.publish.formats import FormatOptions, line_reader, read_moment
from streams.publish.readers import EmittedLines, Format, LineReader, Occurrences, Outgoing, secrets_from
from streams.settings import default_config_dir
from tests.publish.samples import DATA, Sample, samples

SECRET = b"0123456789abcdef"
AT_MS = 1_788_242_400_000


def reader(format_name: str, project: str | None = None, at_ms: int | None = None) -> LineReader:
    return line_reader(
        FormatOptions(Format(format_name), project, at_ms), default_config_dir(), lambda _project: SECRET
    )()


def event(found: object) -> VisitEvent:
    assert isinstance(found, Outgoing), found
    decoded = decode(found.value)
    assert isinstance(decoded, VisitEvent)
    assert found.key == decoded.visitor.encode()
    return decoded


def vigie_publish(*arguments: object) -> Result:
    return CliRunner().invoke(publish, [str(a) for a in arguments])


# --- the samples


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.path.name)
def test_dry_run_says_what_would_be_sent(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")  # nobody listens there: it is not asked
    done = vigie_publish("--dry-run", *sample.options, sample.path)
    lines = done.stdout.splitlines()
    assert lines[0] == f"sent {sample.sent}, skipped {sum(sample.skipped.values())}, unreadable {sample.unreadable}"
    found = dict(line.removeprefix("skipped, ").rsplit(": ", 1) for line in lines if line.startswith("skipped, "))
    assert {kind: int(number) for kind, number in found.items()} == sample.skipped
    assert done.exit_code == (1 if sample.unreadable else 0)
    assert not sample.path.with_name(sample.path.name + ".vigie-mark").exists()


@pytest.mark.parametrize("sample", samples()[1:], ids=lambda sample: sample.path.name)
def test_samples_become_these_events(sample: Sample, catalog: Catalog) -> None:
    options = dict(zip(sample.options[::2], sample.options[1::2], strict=True))
    at_ms = read_moment(options["--at"]) if "--at" in options else None
    lines = reader(options["--format"], options.get("--project"), at_ms)
    events = [
        event(found) for raw in sample.path.read_bytes().splitlines() if isinstance(found := lines.read(raw), Outgoing)
    ]
    counts: dict[str, Counter[str]] = {}
    for each in events:
        region = catalog.uai_index[each.uai][0]
        service = each.service if each.service in catalog.service_codes else "INCONNU"
        counts.setdefault(region, Counter())[str(service)] += 1
    assert counts == sample.counts
    assert Counter(each.project for each in events) == sample.projects
    assert len({each.visitor for each in events}) == sample.visitors
    assert len({each.id for each in events}) == sample.sent


# --- one line


def entcore(**changed: Any) -> bytes:
    line = {
        "event-type": "ACCESS",
        "module": "Blog",
        "date": AT_MS,
        "userId": "u-1",
        "profil": "Teacher",
        "structures": [],
    }
    return orjson.dumps({**line, **changed})


def test_entcore_in_detail() -> None:
    lines = reader("entcore", "enthdf")
    made = event(lines.read(entcore(structures=["elsewhere", "c1d0a9e2-88f3-4d4b-b1f7-6a7e5b3c2d22"])))
    assert (made.project, made.uai, made.service, made.profile) == (
        "enthdf",
        "0622801H",
        "PRODUCTION_COLLABORATIVE",
        "ENSEIGNANT",
    )
    assert (made.ts, made.type, made.tool) == (AT_MS, "NATIF", "Blog")
    assert made.visitor == pseudonym(SECRET, "u-1")
    assert event(lines.read(entcore(structures=["elsewhere", "there"]))).uai == "elsewhere", (
        "unknown: shown to operators"
    )
    assert event(lines.read(entcore(module="x" * 500 + "\n"))).service == "x" * 64
    assert event(lines.read(entcore(module=None))).service is None
    assert event(lines.read(entcore(profil="Wizard"))).profile == "Wizard"
    connector = event(lines.read(entcore(**{"event-type": "CONNECTOR"})))
    assert (connector.type, connector.service) == ("TIERS", "PRODUCTION_COLLABORATIVE")
    assert event(lines.read(entcore(**{"event-type": "LOGIN", "module": "Blog"}))).service == "PAGE_ENT"
    assert event(lines.read(entcore(date={"$numberLong": str(AT_MS)}))).ts == AT_MS
    assert lines.read(entcore(userId=None)) == Skip("not authenticated")
    assert lines.read(entcore(**{"event-type": "DOWNLOAD"})) == Skip("event-type DOWNLOAD")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"[1]", "no object"),
        (b"{", "one event a line is expected"),
        (b"{]", "not JSON"),
        (b"\xff", "not JSON"),
        (entcore(**{"event-type": 3}), "event-type"),
        (entcore(date="2026-09-01"), "date"),
        (entcore(date=-1), "date"),
        (entcore(date=True), "date"),
        (entcore(date=10**15), "date"),
        (entcore(date=AT_MS // 1000), "date"),
        (entcore(userId=31415), "userId"),
    ],
)
def test_entcore_lines_that_cannot_be_read(line: bytes, why: str) -> None:
    found = reader("entcore", "enthdf").read(line)
    assert isinstance(found, Unreadable)
    assert why in found.why


def hit(query: str, **options: Any) -> object:
    return reader("xiti", options.get("project"), options.get("at_ms", AT_MS)).read(b"/hit.xiti?" + query.encode())


def test_xiti_in_detail() -> None:
    plan_2012 = event(hit("s=1001&s2=57&p=Absences&at=4101&ac=1&x1=4&x2=3&x3=12&x4=3"))
    assert (plan_2012.project, plan_2012.uai, plan_2012.service, plan_2012.profile) == (
        "mbn",
        "0570054Z",
        "ABSENCES",
        "PARENT",
    )
    assert (plan_2012.ts, plan_2012.visitor) == (AT_MS, pseudonym(SECRET, "4101"))
    assert event(hit("at=1&x3=12&x1=13")).service == "RESSOURCE_PRODUCTION"
    assert event(hit("at=1&x3=31&x1=13")).service == "MANUEL_NUMERIQUE", "the project's own table"
    assert event(hit("at=1&x3=12&p=Cahier_Textes")).service == "CAHIER_TEXTES", "by its label, where there is no id"
    assert event(hit("at=1&x3=12&x1=99")).service == "99", "unknown: shown to operators"
    later = event(hit("at=1&SERVICE=NOTES&TYPE=TIERS&OUTIL=Pronote%20Web&UAI=0541234Y&PROJET=mbn&PROFIL=ELEVE"))
    assert (later.service, later.type, later.tool, later.uai, later.profile) == (
        "NOTES",
        "TIERS",
        "Pronote Web",
        "0541234Y",
        "ELEVE",
    )
    assert event(hit("at=1&x1=3", project="elyco")).project == "elyco"
    assert event(hit("at=1&x1=3&x3=12", project="elyco")).project == "mbn", "what the line says comes first"
    assert event(hit("at=a%E9&x3=12")).visitor != event(hit("at=a%E8&x3=12")).visitor, "Latin-1 users stay apart"
    assert hit("x3=12&x1=3") == Skip("not authenticated")
    assert isinstance(hit("at=1&x3=4040"), Unreadable)
    without_time = hit("at=1&x3=12", at_ms=None)
    assert isinstance(without_time, Unreadable)
    assert "--at" in without_time.why


def test_combined_without_a_host_asks_for_one_where_rows_differ() -> None:
    line = b'203.0.113.1 - u [01/Sep/2026:07:52:00 +0200] "GET %s HTTP/1.1" 200 1 "-" "-"'
    assert event(reader("combined").read(line % b"/0781839A/notes")).service == "NOTES"
    assert event(reader("combined").read(line % b"https://ENT.exemple.fr/portail")).project == "monlycee"
    assert event(reader("combined", "pcn").read(line % b"/messagerie?x")).uai == "0750711R"
    assert reader("combined", "monlycee").read(line % b"/messagerie") == Skip("path without a row")


def test_an_address_of_version_6_and_a_user_with_spaces(catalog: Catalog) -> None:
    found = reader("combined").read(
        b'ent.exemple.fr:443 2001:db8::7 - jean de la tour [01/Sep/2026:07:52:00 +0200] "GET /portail HTTP/1.1" 200 1 "-" "\\"x\\""'
    )
    assert event(found).visitor == pseudonym(SECRET, "jean de la tour")
    assert event(found).ts == 1_788_241_920_000


# --- ids


def test_ids_follow_from_format_project_line_time_and_occurrence() -> None:
    one, other = entcore(), entcore(module="Wiki")
    lines = reader("entcore", "enthdf")
    first = [event(lines.read(raw)).id for raw in (one, other, one, one)]
    again = reader("entcore", "enthdf")
    assert [event(again.read(raw)).id for raw in (one, other, one, one)] == first
    assert len(set(first)) == 4
    assert event(reader("entcore", "pcn").read(one)).id not in first
    resumed = reader("entcore", "enthdf")
    for raw in (one, other, one):
        resumed.pass_by(raw)
    assert event(resumed.read(one)).id == first[3], "a run that goes on gives the ids that the first would have given"
    raw = b"/hit.xiti?at=1&x3=12&x1=3"
    assert event(reader("xiti", None, AT_MS).read(raw)).id != event(reader("xiti", None, AT_MS + 1).read(raw)).id


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("combined.log", "407169c0fddf78c28a555d3cbddd3c9b"),
        ("xiti.log", "7e76b53af2a842fb2c05b9740f12f698"),
        ("xiti-hits.txt", "5e74ecddff62341d27530c4b0010ff51"),
        ("entcore.ndjson", "394a2cd1da78d08604174e2f4e29d159"),
        ("native.ndjson", "34968ed8be1be14dbe55e42517edb423"),
    ],
)
def test_what_was_read_before_keeps_its_ids_and_pseudonyms(name: str, digest: str) -> None:
    """Else an ENT that updates Vigie counts its visitors, and the files that it publishes again, twice."""
    format_name = name.partition(".")[0].partition("-")[0]
    options = {"xiti": (None, AT_MS), "entcore": ("enthdf", None)}.get(format_name, (None, None))
    lines = reader(format_name, *options)
    found = [lines.read(raw) for raw in (DATA / name).read_bytes().splitlines()]
    sent = b"".join(each.value + b"\n" for each in found if isinstance(each, Outgoing))
    assert hashlib.sha256(sent).hexdigest()[:32] == digest


def test_occurrences_are_told_apart_in_bounded_memory() -> None:
    lines = [b"a", b"a", b"b", b"a", b"c", b"a", b"a", b"d", b"b"]
    for lines_max in (1, 2, 3, 10):
        occurrences = Occurrences(lines_max)
        found = [(line, occurrences.of(line)) for line in lines]
        assert len(set(found)) == len(lines)
        assert len(occurrences._seen) <= lines_max
    assert [text for line, text in found if line == b"a"] == ["1", "2", "3", "4", "5"]


# --- secrets, options, tables


def test_secrets_come_from_the_environment() -> None:
    secret_of = secrets_from({"VIGIE_SECRET_ENT_ARA": "hex:" + "0f" * 32, "VIGIE_SECRET_MBN": "text of sixteen b"}, 16)
    assert secret_of("ent_ara") == b"\x0f" * 32
    assert secret_of("mbn") == b"text of sixteen b"
    wrong = secrets_from({"VIGIE_SECRET_A": "short", "VIGIE_SECRET_B": "hex:zz"}, 16)
    for project, why in (("a", "shorter than 16"), ("b", "no hexadecimal"), ("c", "VIGIE_SECRET_C is not set")):
        with pytest.raises(SettingsError, match=why):
            wrong(project)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--format", "entcore"], "needs --project"),
        (["--format", "entcore", "--project", "nobody"], "not in .*projects.yaml"),
        (["--format", "entcore", "--project", "mbm"], "Is it mbn"),
        (["--format", "native", "--project", "mbn"], "--project does not go with"),
        (["--format", "combined", "--at", "2026-09-01"], "--at does not go with"),
        (["--format", "xiti", "--at", "this morning"], "is no time"),
        (["--dry-run", "/no/such/file"], "There is no file"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        CliRunner().invoke(
            publish,
            [*arguments, str(DATA / "xiti.log")][: None if "/no" not in arguments[-1] else -1],
            catch_exceptions=False,
        )


def test_a_missing_secret_is_told_before_anything_is_sent() -> None:
    with pytest.raises(SettingsError, match="VIGIE_SECRET_ENTHDF is not set"):
        CliRunner().invoke(
            publish,
            ["--format", "entcore", "--project", "enthdf", str(DATA / "entcore.ndjson")],
            catch_exceptions=False,
        )


def test_tables_of_the_repository_are_right(catalog: Catalog) -> None:
    assert check_tables(default_config_dir(), catalog) == []


def test_every_problem_of_a_table_at_once(tmp_path: Path, catalog: Catalog) -> None:
    for name in ("services", "profiles"):
        (tmp_path / f"{name}.yaml").write_bytes((default_config_dir() / f"{name}.yaml").read_bytes())
    (tmp_path / "entcore.yaml").write_text("modules: {Blog: BLOGS}\nprojects: {nobody: {structures: {a: 0590001X}}}\n")
    (tmp_path / "xiti.yaml").write_text(
        'services: {"13": X}\nprojects: {mbn: {ids: ["1"], establishments: {"5": 12}}, pcn: {ids: ["1"]}}\n'
    )
    (tmp_path / "combined.yaml").write_text(
        "places: [{host: a, path: /, project: mbn, service: NOTES}, {host: A, path: /, project: x, service: Y, uai: z}, {host: b}]\n"
        "ignored: .css\n"
    )
    with pytest.raises(
        SettingsError, match=r"(?s)3 problem.*'BLOGS' is no service.*'nobody' is no project.*'0590001X' is no UAI"
    ):
        entcore_tables(tmp_path, catalog, "mbn")
    with pytest.raises(SettingsError, match=r"(?s)3 problem.*also that of mbn.*'X' is no service"):
        xiti_tables(tmp_path, catalog)
    with pytest.raises(
        SettingsError, match=r"(?s)6 problem.*'x' is no project.*row 3: needs host.*listed twice.*ignored"
    ):
        combined_tables(tmp_path, catalog)
    (tmp_path / "combined.yaml").write_text("[]")
    assert len(check_tables(tmp_path, catalog)) == 3


def test_dry_run_of_gz_and_of_an_overlong_line(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(b"{}\n" + b"x" * 3_000_000 + b"\n{}\n", mtime=0))
    done = vigie_publish("--dry-run", path)
    assert (done.stdout.splitlines()[0], done.exit_code) == ("sent 2, skipped 0, unreadable 1", 1)
    assert "line 2: longer than" in done.stdout


def test_a_reader_is_asked_for_one_project_at_a_time() -> None:
    asked: list[str] = []

    def secret_of(project: str) -> bytes:
        asked.append(project)
        return SECRET

    lines = EmittedLines(Format.XITI, lambda _line: Visit("mbn", AT_MS, "u", "NOTES"), secret_of)
    for _ in range(3):
        lines.read(b"x")
    assert asked == ["mbn"]
