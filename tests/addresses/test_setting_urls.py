"""URLs of settings: what is understood, and that what is not is never repeated."""

import logging
import logging.config
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr, ValidationError

from src.config import Settings
from src.http.server import Server
from src.jobs.worker import Worker
from src.main import create_app
from tests.command_line import refusal
from tests.support import problem_of

CANARY = "S3cretCanary"
COMMANDS = [
    ["serve"],
    ["worker"],
    ["migrate"],
    ["openapi"],
    ["keys", "rotate"],
    ["clients", "add", "x", "--scope", "tokens:introspect"],
    ["create-admin", "ann@example.com"],
]
# A password that is not percent-encoded, and other ways to get it wrong; {} is the scheme.
UNREADABLE = [
    "{}://user:S3cretCanary/abc@host/name",
    "{}://user:S3cretCanary?abc@host/name",
    "{}://user:S3cretCanary#abc@host/name",
    "{}://user:S3cretCanary@abc@host/name",
    "{}://user:S3cretCanary%zz@host/name",
    "{}://user:S3cretCanary abc@host/name",
    "{}://user:S3cretCanary\nabc@host/name",
    "{}://user:S3cretCanary%00@host/name",
    "{}://user:12/S3cretCanary@host/name",
    "{}://user:12?S3cretCanary=@host/name",
    "{}://user:12#S3cretCanary@host/name",
    "{}://user:S3cretCanary[@host/name",
    "{}://user:S3cretCanary@host:58x7/name",
    "{}://user:S3cretCanary@host:99999/name",
    "{}://user:S3cretCanary@host:0/name",
    "{}://user:S3cretCanary@ho℀st/name",
    "{}://user:S3cretCanary@ho..st/name",
    "{}://user:S3cretCanary@[::1/name",
    "{}:user:S3cretCanary@host/name",
    "mysql://user:S3cretCanary@host/name",
    "user:S3cretCanary@host/name",
    "S3cretCanary",
]
SCHEMES = {
    "DATABASE_URL": "postgresql",
    "SMTP_URL": "smtp",
    "REDIS_URL": "redis",
    "PUBLIC_URL": "https",
    "FRONTEND_URL": "https",
    "BREACHED_PASSWORDS_URL": "https",
    "CORS_ORIGINS": "https",
}
WRONG = [
    *((name, url.format(scheme)) for name, scheme in SCHEMES.items() for url in UNREADABLE),
    ("DATABASE_URL", "postgresql+asyncpg://user:S3cretCanary@host/name"),
    ("DATABASE_URL", "postgresql://user:S3cretCanary@host/name?S3cretCanary"),
    ("DATABASE_URL", "postgresql://user@host/name?S3cretCanary=x"),
    ("DATABASE_URL", "postgresql://user@host/name?port=S3cretCanary"),
    ("DATABASE_URL", "postgresql://user@host/name?port=70000&password=S3cretCanary"),
    ("DATABASE_URL", "postgresql://user@host/name?sslmode=S3cretCanary"),
    ("DATABASE_URL", "postgresql://user:S3cretCanary@one:5432,two:58x7/name"),
    ("SMTP_URL", "smtp:"),
    ("SMTP_URL", "smtp://user:S3cretCanary@host?starttls=yes"),
    ("SMTP_URL", "smtp://S3cretCanary@host"),
    ("SMTP_URL", "smtp://:S3cretCanary@host"),
    ("SMTP_URL", "smtp://user:S3cretCanary@"),
    ("REDIS_URL", "redis://"),
    ("REDIS_URL", "redis://:6379"),
    ("REDIS_URL", "redis://user:S3cretCanary@host/S3cretCanary"),
    ("REDIS_URL", "redis://user:S3cretCanary@host/0?socket_timeout=S3cretCanary"),
    ("REDIS_URL", "redis://user:S3cretCanary@host/0?S3cretCanary=1"),
    ("PUBLIC_URL", "https://user:S3cretCanary@host"),
    ("PUBLIC_URL", "https://host?S3cretCanary=1"),
    ("FRONTEND_URL", "https://user:S3cretCanary@host"),
    ("BREACHED_PASSWORDS_URL", "https://user:S3cretCanary@host/range"),
    ("BREACHED_PASSWORDS_URL", "http://host/range"),
    ("BREACHED_PASSWORDS_URL", "http://127.0.0.1.S3cretCanary.example/range"),
    ("CORS_ORIGINS", "https://one.example,https://user:S3cretCanary@host"),
]
RIGHT = [
    ("DATABASE_URL", "postgresql://user:p%40ss%2Fw%3A%3F%23%25@host:5432/name"),
    ("DATABASE_URL", "postgres://user:pa:ss@host/name?sslmode=verify-full&sslrootcert=/ca.pem"),
    ("DATABASE_URL", "postgresql://[::1]:5432/name"),
    ("DATABASE_URL", "postgresql://user@/name?host=/run/postgresql&port=5433"),
    ("DATABASE_URL", "postgresql://user@%2Frun%2Fpostgresql/name"),
    ("DATABASE_URL", "postgresql:///name"),
    ("DATABASE_URL", "postgresql://one:5432,two:5433/name?target_session_attrs=primary"),
    ("DATABASE_URL", "postgresql://host/name?options=-c%20search_path%3Dplaza"),
    ("SMTP_URL", "smtp://host"),
    ("SMTP_URL", "smtps://user%40example.com:p%40ss@[::1]:465/"),
    ("SMTP_URL", "smtp://почта.рф:587?starttls=required"),
    ("REDIS_URL", "redis://host"),
    ("REDIS_URL", "rediss://:p%40ss@host:6380/1?ssl_cert_reqs=required"),
    ("REDIS_URL", "valkeys://[::1]:6379/"),
    ("PUBLIC_URL", "http://localhost:8000"),
    ("FRONTEND_URL", "https://app.example.com:8443/"),
    ("BREACHED_PASSWORDS_URL", "https://api.example.com/range/"),
    ("BREACHED_PASSWORDS_URL", "http://127.0.0.1:8080/range"),
]


@pytest.fixture(autouse=True)
def settings_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but those of the test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PORT", "0")
    # The tests have the loggers.
    monkeypatch.setattr(logging.config, "fileConfig", lambda *_, **__: None)
    monkeypatch.chdir(tmp_path)


def outcome(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> tuple[object, str]:
    """The exit status of a command that is refused, and all that it writes."""
    monkeypatch.delattr(Server, "startup")  # it must not come as far as that
    monkeypatch.delattr(Worker, "run")
    return refusal(capfd, monkeypatch, *command)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_url_that_is_not_understood_ends_every_command_with_its_name_alone(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    subtests: pytest.Subtests,
    command: list[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, scheme in SCHEMES.items():
        value = UNREADABLE[0].format(scheme)
        with subtests.test(name=name), monkeypatch.context() as patch:
            patch.setenv(name, value)
            status, told = outcome(capfd, patch, command)
            assert status == 2
            assert told.startswith(f"The settings are not right:\n  {name}: ")
            assert CANARY not in told + caplog.text


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_the_error_itself_does_not_repeat_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Where no command line catches it, Python prints it."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert CANARY not in f"{refused.value!r} {refused.value}"


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_every_usual_form_is_understood(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    create_app(Settings())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_no_setting_is_repeated_when_it_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(name.upper(), CANARY)
    with suppress(ValidationError):  # some may have any value
        Settings()
        return
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert CANARY not in f"{refused.value!r} {refused.value}"


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "SMTP_URL", "REDIS_URL", "BREACHED_PASSWORDS_URL"]
)
def test_advice_is_given(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, UNREADABLE[0].format(SCHEMES[name]))
    with pytest.raises(ValidationError, match="percent-encode"):
        Settings()


class TestDatabaseThatRefuses:
    """A URL that reads well, and with which PostgreSQL takes no connection."""

    @pytest.fixture(params=["database", "user", "options", "certificate"])
    def refused_url(self, request: pytest.FixtureRequest, database_url: str) -> str:
        """The URL of the test's database, with a part that does not exist."""
        url = urlsplit(database_url)
        host = url.netloc.rpartition("@")[2]
        option = f"options=-c%20{CANARY}%3D1"
        return {
            "database": urlunsplit(url._replace(path=f"/{CANARY}")),
            "user": urlunsplit(url._replace(netloc=f"{CANARY}:{CANARY}@{host}")),
            "options": urlunsplit(url._replace(query="&".join(filter(None, [url.query, option])))),
            "certificate": f"postgresql://127.0.0.1:1/x?ssl_min_protocol_version={CANARY}",
        }[request.param]

    @pytest.mark.parametrize("command", [c for c in COMMANDS if c != ["openapi"]], ids=" ".join)
    def test_it_ends_every_command_that_needs_it(
        self,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        refused_url: str,
        command: list[str],
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", refused_url)
        status, told = outcome(capfd, monkeypatch, command)
        assert status == 2
        assert told.startswith("The settings are not right:\n  DATABASE_URL: ")
        assert CANARY not in told
        assert "Traceback" not in told

    async def test_a_running_server_answers_503_and_logs_nothing_of_it(
        self, settings: Settings, refused_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, "src")
        settings = settings.model_copy(
            update={"database_url": SecretStr(refused_url), "worker_in_server": True}
        )
        app: FastAPI = create_app(settings)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                problem_of(await client.get("/api/v1/posts"), 503, "database_unavailable")
                form = {"username": "ann", "password": "x" * 8}
                answer = await client.post("/api/v1/auth/token", data=form)
                problem_of(answer, 503, "database_unavailable")
        assert "database unavailable: " in caplog.text
        assert "jobs wait for the database: " in caplog.text
        assert CANARY not in caplog.text
        assert "Traceback" not in caplog.text
