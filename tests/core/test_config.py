"""Settings: what production insists on, and what may be left out."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from src.addresses.localhost import local_url
from src.config import Settings

SECRET = "a-secret-of-more-than-thirty-two-characters"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://plaza:database-pw@db.example/plaza",
    "PUBLIC_URL": "https://plaza.example",
    "SECRET_KEY": SECRET,
    "SMTP_URL": "smtp://plaza:smtp-pw@mail.example:587",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from outside."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def private_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A key that a local start made."""
    settings = Settings(_env_file=None, data_dir=tmp_path_factory.mktemp("keys"))
    return settings.jwt_private_key.get_secret_value()


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch, private_key: str) -> pytest.MonkeyPatch:
    """The environment of a complete production set-up, to be changed."""
    for name, value in (PRODUCTION | {"JWT_PRIVATE_KEY": private_key}).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal() -> str:
    """What a start says that is refused."""
    with pytest.raises(ValidationError) as refused:
        Settings()
    return str(refused.value)


def test_a_complete_production_starts_and_writes_no_secret(
    production: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings()
    assert settings.secret_key.get_secret_value() == SECRET
    assert settings.public_url == "https://plaza.example"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "PUBLIC_URL", "SECRET_KEY", "JWT_PRIVATE_KEY", "SMTP_URL"]
)
def test_production_says_what_to_set(production: pytest.MonkeyPatch, name: str) -> None:
    production.delenv(name)
    assert f"set {name}" in refusal()


def test_production_says_everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    told = refusal()
    for name in ("DATABASE_URL", "PUBLIC_URL", "SECRET_KEY", "JWT_PRIVATE_KEY", "SMTP_URL"):
        assert f"set {name}" in told


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SECRET_KEY", "short-but-private", "SECRET_KEY needs 32 characters or more"),
        ("PUBLIC_URL", "http://plaza.example", "PUBLIC_URL must begin with https://"),
        ("BCRYPT_ROUNDS", "9", "BCRYPT_ROUNDS must be 10 or more"),
    ],
)
def test_production_refuses_what_is_weak(
    production: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    production.setenv(name, value)
    assert sentence in refusal()


def test_a_refusal_repeats_no_secret(production: pytest.MonkeyPatch) -> None:
    production.setenv("SECRET_KEY", "short-but-private")
    production.delenv("PUBLIC_URL")
    told = refusal()
    for secret in ("short-but-private", "database-pw", "smtp-pw", "PRIVATE KEY"):
        assert secret not in told


def test_settings_show_no_secret(production: pytest.MonkeyPatch) -> None:
    settings = Settings()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    for secret in (SECRET, "database-pw", "smtp-pw", "PRIVATE KEY"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "prod"),
        ("PORT", "70000"),
        ("PORT", "http"),
        ("MAX_BODY_BYTES", "0"),
        ("DATABASE_POOL_SIZE", "0"),
        ("READ_POOL_SIZE", "-1"),
        ("DATABASE_WAIT_SECONDS", "0"),
        ("RATE_LIMIT", "many"),
        ("RATE_LIMIT", "0/minute"),
        ("RATE_LIMIT", "10/fortnight"),
        ("RATE_LIMIT", "1200/minute;50/second"),
        ("RATE_LIMIT_MAILS", "-1/hour"),
        ("REDIS_URL", "http://127.0.0.1:6379"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://:6379"),
        ("REDIS_URL", "redis://127.0.0.1:0"),
        ("REDIS_URL", "redis://127.0.0.1:70000"),
        ("RATE_LIMIT_USERNAMES", "1 per 1000 years"),
        ("EMAIL_LINKS_PER_HOUR", "9" * 30),
        ("FAILURES_PER_ACCOUNT", "9" * 30),
        ("MAX_BODY_BYTES", "9" * 30),
        ("STATEMENT_TIMEOUT_SECONDS", "inf"),
        ("STATEMENT_TIMEOUT_SECONDS", "0.0001"),
        ("DATABASE_WAIT_SECONDS", "nan"),
        ("EMAIL_LINK_LIFETIME", "P999999999D"),
        ("SESSION_ABSOLUTE_LIFETIME", "P999999999D"),
        ("SECRET_KEY", "\udcff" * 40),
        ("TOKEN_AUDIENCE", "\udcff"),
        ("DATA_DIR", "\udcff"),
        ("BCRYPT_ROUNDS", "3"),
        ("BCRYPT_ROUNDS", "31"),
        ("PASSWORD_THREADS", "0"),
        ("ACCESS_TOKEN_LIFETIME", "soon"),
        ("RESERVED_USERNAMES", "acme,a c me"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "https://app.example/path"),
        ("CORS_ORIGINS", "https://*.example,ftp://app.example"),
        ("BRAND_NAME", " "),
        ("BRAND_NAME", "Plaza\nInc"),
        ("BRAND_NAME", "Plaza\u202emoc"),
        ("BRAND_NAME", "Pla\u200bza"),
        ("BRAND_NAME", "P" * 65),
        ("BRAND_COLOR", "red"),
        ("BRAND_COLOR", "1f5fd0"),
        ("BRAND_COLOR", "#1f5fd"),
        ("BRAND_COLOR", "#1f5fd0;}body{display:none"),
        ("BRAND_COLOR", "#1f5fd0\n"),
        ("BRAND_LOGO_URL", "logo.png"),
        ("BRAND_LOGO_URL", "//cdn.example/logo.png"),
        ("BRAND_LOGO_URL", "http://cdn.example/logo.png"),
        ("BRAND_LOGO_URL", "data:image/png;base64,iVBORw0KGgo="),
        ("BRAND_LOGO_URL", "javascript:alert(1)"),
        ("BRAND_LOGO_URL", "https://cdn.example"),
        ("BRAND_LOGO_URL", "https://cdn.example/"),
        ("BRAND_LOGO_URL", "https://cdn.example/logos/"),
        ("BRAND_LOGO_URL", "https://cdn.example/logo.png?token=x"),
        ("BRAND_LOGO_URL", "https://ann:secret@cdn.example/logo.png"),
        ("BRAND_LOGO_URL", "https://cdn.example/logo.png;script-src"),
        ("BRAND_LOGO_URL", "https://cdn.example/logo.png,default-src"),
        ("BRAND_LOGO_URL", "https://cdn.example/logo.png *"),
        ("BRAND_LOGO_URL", "https://*.example/logo.png"),
        ("BRAND_LOGO_URL", 'https://cdn.example/"onerror=alert(1)'),
    ],
)
def test_a_wrong_value_names_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert name.lower() in refusal().lower()


def test_a_redis_url_that_cannot_be_read_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://user:s3cr/et@127.0.0.1:6379")
    text = refusal()
    assert "redis_url" in text.lower()
    assert "s3cr" not in text


@pytest.mark.parametrize("value", ["0.5", "PT0.5S", "00:00:00.5"])
def test_a_duration_is_written_in_three_ways(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("REFRESH_GRACE", value)
    assert Settings().refresh_grace == timedelta(seconds=0.5)


def test_the_look_of_the_product_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAND_NAME", ' Acme: <the "shop"> \u05e9\u05dc ')
    monkeypatch.setenv("BRAND_COLOR", "#FFe600")
    monkeypatch.setenv("BRAND_LOGO_URL", "https://CDN.example:443/a/logo-2_x.png")
    settings = Settings()
    assert settings.brand_name == 'Acme: <the "shop"> \u05e9\u05dc'
    assert settings.brand_color == "#FFe600"
    assert settings.brand_logo_url == "https://cdn.example/a/logo-2_x.png"
    # In an otpauth URL a colon would end the name.
    assert settings.mfa_issuer == 'Acme <the "shop"> \u05e9\u05dc'
    monkeypatch.setenv("MFA_ISSUER", "Acme")
    assert Settings().mfa_issuer == "Acme"


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "CORS_ORIGINS", "SECRET_KEY", "PORT", "FRONTEND_URL"):
        monkeypatch.setenv(name, "")
    settings = Settings()
    assert settings.database_url is None
    assert settings.cors_origins == []
    assert len(settings.secret_key.get_secret_value()) >= 32
    assert settings.public_url == local_url("127.0.0.1", 8000)
    assert settings.frontend_url is None


def test_urls_and_origins_lose_their_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://plaza.example/")
    monkeypatch.setenv("FRONTEND_URL", "https://app.example/")
    monkeypatch.setenv("CORS_ORIGINS", " https://app.example/ , http://localhost:5173 ,")
    settings = Settings()
    assert settings.public_url == "https://plaza.example"
    assert settings.frontend_url == "https://app.example"
    assert settings.cors_origins == ["https://app.example", "http://localhost:5173"]


def test_the_env_file_counts_less_than_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PORT=1234\nHOST=0.0.0.0\n")
    monkeypatch.setenv("PORT", "4321")
    settings = Settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 4321)
