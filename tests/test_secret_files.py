"""Secrets that are in files: taken as they are, and never told."""

from pathlib import Path

import pytest

from streams.edges import kafka_address, redis_address
from streams.errors import SettingsError
from streams.settings import Settings, load_settings
from streams.settings_problems import SECRET_NAMES

SENTINEL = "redis+sentinel://a/m"


def test_every_secret_may_be_in_a_file() -> None:
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    files = {f"{name}_file" for name in SECRET_NAMES}
    assert set(SECRET_NAMES) <= secrets
    assert files <= Settings.model_fields.keys()
    assert {name for name in secrets if "password" in name} == set(SECRET_NAMES)


def test_they_reach_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, held in zip(SECRET_NAMES, ("kafka's\n", "of redis\r\n", " with blanks "), strict=True):
        (tmp_path / name).write_text(held)
        monkeypatch.setenv(f"VIGIE_{name.upper()}_FILE", str(tmp_path / name))
    monkeypatch.setenv("VIGIE_REDIS_URL", SENTINEL)
    with pytest.raises(SettingsError, match="redis_sentinel_password"):  # held to what is held of any secret
        load_settings()
    (tmp_path / SECRET_NAMES[2]).write_text("of-sentinels")
    settings = load_settings(
        kafka_bootstrap_servers="a:9092", kafka_security_protocol="SASL_PLAINTEXT", kafka_sasl_username="vigie"
    )
    assert kafka_address(settings).sasl_password == "kafka's"
    assert redis_address(settings).password == "of redis"
    assert redis_address(settings).sentinel_password == "of-sentinels"
    assert "of redis" not in repr(settings)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hidden\nhidden\n", "has several lines"),
        (b"hidden\xff", "is not UTF-8"),
        (b"hidden" * 1000, "is longer than a secret"),
    ],
)
def test_what_holds_no_secret_is_refused_untold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bytes, said: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(held)
    monkeypatch.setenv("VIGIE_REDIS_PASSWORD_FILE", str(file))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"redis_password_file: {file} {said}" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_file_that_is_not_there_and_one_beside_the_secret_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_REDIS_PASSWORD_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="none cannot be read: No such file"):
        load_settings()
    monkeypatch.setenv("VIGIE_REDIS_PASSWORD_FILE", str(tmp_path))
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_settings()
    monkeypatch.setenv("VIGIE_REDIS_PASSWORD", "hidden")
    with pytest.raises(SettingsError, match="redis_password and redis_password_file are both set") as caught:
        load_settings()
    assert "hidden" not in str(caught.value)
