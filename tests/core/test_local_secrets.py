"""Secrets that a local start makes for itself."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from src.config import Settings

NAMES = ["jwt_private_key.pem", "secret_key"]


def secrets_of(data_dir: Path) -> tuple[str, str]:
    """The secrets of a start on this folder."""
    settings = Settings(_env_file=None, data_dir=data_dir)
    return settings.secret_key.get_secret_value(), settings.jwt_private_key.get_secret_value()


def test_the_second_start_has_the_secrets_of_the_first(tmp_path: Path) -> None:
    assert secrets_of(tmp_path) == secrets_of(tmp_path)


def test_two_folders_have_two_secrets(tmp_path: Path) -> None:
    first, second = secrets_of(tmp_path / "a"), secrets_of(tmp_path / "b")
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_the_secrets_are_strong(tmp_path: Path) -> None:
    secret_key, private_key = secrets_of(tmp_path)
    assert len(secret_key) >= 43  # 256 bits in base64
    key = load_pem_private_key(private_key.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    secrets_of(tmp_path)
    folder = tmp_path / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == NAMES
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]


@pytest.mark.parametrize("attempt", range(3))
def test_starts_at_once_agree_and_leave_nothing_behind(tmp_path: Path, attempt: int) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(secrets_of, [tmp_path] * 16))
    assert len(found) == 1
    assert sorted(file.name for file in (tmp_path / "secrets").iterdir()) == NAMES


def test_a_given_secret_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "given")
    monkeypatch.setenv("JWT_PRIVATE_KEY", secrets_of(tmp_path / "other")[1])
    assert secrets_of(tmp_path / "here")[0] == "given"
    assert not (tmp_path / "here").exists()
