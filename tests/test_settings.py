"""Settings as shells, env files and TOML leave them: read as written, or refused, all at once."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.errors import SettingsError
from streams.settings import Settings, default_config_dir, load_settings

NUMBERS = sorted(name for name, field in Settings.model_fields.items() if field.annotation in (int, int | None))
ODD_NUMBERS = [
    "",
    "1_000",
    "1e3",
    "NaN",
    "inf",
    "٣",
    "３",
    " 80",
    "80\n",
    "+80",
    "80.0",
    "0x50",
    "true",
    "None",
    "080",
    "-0",
    "9" * 20,
]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        *((name, value, "is no whole number") for name in NUMBERS for value in ("1_000", "1e3", "NaN", "٣", "8.5", "true")),
        ("OBSERVER_PORT", " 8000", "begins or ends with a blank"),
        ("ARCHIVE_DIR", "  ", "is blank"),
        ("ARCHIVE_DIR", "~/archive", "only a shell knows what ~ is"),
        ("ARCHIVE_DIR", '"/archive"', "is in quotes"),
        ("ARCHIVE_DIR", "/etc/hostname", "is no directory"),
        ("CONFIG_DIR", "/etc/hostname", "no such directory"),
        ("CONFIG_DIR", "'config'", "is in quotes"),
        ("KAFKA_SSL_CAFILE", "/etc", "is a directory"),
        ("REDIS_TLS_CA_FILE", "/nowhere.pem", "no such file"),
        ("REDIS_PASSWORD", "secret\n", "begins or ends with a blank"),
        ("REDIS_USERNAME", "a\u200bb", "a character that is not seen"),
        ("TOPIC", "ent.visits\r", "begins or ends with a blank"),
        ("TOPIC", "ent visits", "should match pattern"),
        ("DETECTOR", "oui", "valid boolean"),
        ("PROXY_ADDRESS", "10.0.0.0/8", "is no address of one machine"),
        ("PROXY_ADDRESS", "proxy.example.org", "is no address of one machine"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka:９０９２", "is not host:port"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092,", "is not host:port"),
        ("ALERT_SMTP", "mail", "is not host:port"),
        ("ALERT_SMTP", "mail:25,mail:26", "is not one host:port"),
        ("STACK_FILE", "/etc", "/etc cannot be read: Is a directory"),
        ("SETTINGS_FILE", "/etc", "VIGIE_SETTINGS_FILE names /etc, which is no file"),
        ("SETTINGS_FILE", "/nowhere.toml", "which does not exist"),
    ],
)  # fmt: skip
def test_an_accident_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(f"VIGIE_{name.upper()}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_all_accidents_are_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_OBSERVER_PORT", "8_000")
    monkeypatch.setenv("vigie_topic", "x")
    monkeypatch.setenv("VIGIE_TOPIK", "x")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    lines = str(caught.value).splitlines()
    assert lines[0] == "3 problems in the settings:"
    assert [line.split(":")[0] for line in lines[1:4]] == ["  - observer_port", "  - VIGIE_TOPIK", "  - vigie_topic"]


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"VIGIE_{name.upper()}", "")
    found = load_settings()
    assert (found.archive_dir, found.redis_password, found.observer_port) == (None, None, 8000)
    assert found.config_dir == default_config_dir()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.one_of(
        st.text(max_size=8), st.from_regex(r"-?[0-9_eE.+٣ ]{1,6}", fullmatch=True), st.sampled_from(ODD_NUMBERS)
    )
)
def test_a_number_is_what_its_digits_say(value: str) -> None:
    if "\0" in value:  # no variable can hold it
        return
    try:
        found = Settings.model_validate({"calendar_shift_seconds": value}).calendar_shift_seconds
    except ValueError:
        assert not re.fullmatch("-?[0-9]{1,9}", value)
        return
    assert re.fullmatch("-?[0-9]+", value)
    assert found == int(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("observer_port = true", "observer_port: True is no whole number"),
        ("observer_port = '8_000'", "observer_port: '8_000' is no whole number"),
        ("observer_port = nan", "observer_port: "),
        ("observer_port = 8000.5", "observer_port: "),
        ("archive_dir = ''", "archive_dir: is blank"),
        ("topic = 'a'\ntopic = 'b'", "(at line 2,"),
        ("topic = a", "(at line 1,"),
        ("\ufefftopic = 'a'", "(at line 1,"),
        ("topik = 'a'", "topik: "),
        ("redis_password_file = 5", "redis_password_file: 5 is no path of a file"),
        ("kafka_sasl_password_file = ['a']", "kafka_sasl_password_file: ['a'] is no path of a file"),
        ("[vigie]\ntopic = 'a'", "vigie: "),
        ("topic = 2026-09-01", "topic: "),
        ("log_level = 'info'", "log_level: "),
    ],
)
def test_a_file_says_what_it_looks_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    path = tmp_path / "vigie.toml"
    path.write_text(text + "\n")
    monkeypatch.setenv("VIGIE_SETTINGS_FILE", str(path))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert said in str(caught.value)


def test_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "vigie.toml"
    path.write_text('observer_port = 8_100\nworker_port = "8200"\ndetector = false\narchive_dir = "old archive"\n')
    monkeypatch.setenv("VIGIE_SETTINGS_FILE", str(path))
    found = load_settings()
    assert (found.observer_port, found.worker_port, found.detector) == (8100, 8200, False)
    assert found.archive_dir == Path("old archive")


LINKS = {
    "VIGIE_WORKER_SERVICE_HOST": "10.0.0.7",
    "VIGIE_WORKER_SERVICE_PORT": "8001",
    "VIGIE_WORKER_SERVICE_PORT_HTTP": "8001",
    "VIGIE_WORKER_PORT": "tcp://10.0.0.7:8001",
    "VIGIE_WORKER_PORT_8001_TCP": "tcp://10.0.0.7:8001",
    "VIGIE_WORKER_PORT_8001_TCP_PROTO": "tcp",
    "VIGIE_WORKER_PORT_8001_TCP_PORT": "8001",
    "VIGIE_WORKER_PORT_8001_TCP_ADDR": "10.0.0.7",
    "VIGIE_SERVICE_HOST": "fd00::8",
    "VIGIE_SERVICE_PORT": "80",
    "VIGIE_PORT": "tcp://[fd00::8]:80",
    "VIGIE_PORT_80_TCP": "tcp://[fd00::8]:80",
}


def test_variables_of_services_beside_a_pod_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    assert load_settings().worker_port == 8001
    monkeypatch.setenv("VIGIE_WORKER_PORT", "8010")  # somebody's own goes before that of the Service
    assert load_settings().worker_port == 8010


@pytest.mark.parametrize(
    ("name", "value"),
    [("VIGIE_WORKER_PORT", "tcp://10.0.0.7:8001"), ("VIGIE_WORKER_SERVICE_HOST", "a"), ("VIGIE_WORKER_PORTS", "1")],
)
def test_what_only_looks_like_them_is_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"VIGIE_WORKER|worker_port"):
        load_settings()
