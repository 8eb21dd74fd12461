"""The command line: what it prints, and how it says what is wrong."""

import json
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from src.addresses.localhost import local_url
from src.config import PROJECT_ROOT, Settings
from tests.command_line import TIMEOUT_SECONDS, command, refusal, run
from tests.support import free_port, query


@contextmanager
def serving(environment: dict[str, str], log: Path, soft: int, hard: int) -> Iterator[str]:
    """A server with such limits on its descriptors: its address."""
    port = free_port()
    address = local_url("127.0.0.1", port)
    limited = f'ulimit -S -n {soft} && ulimit -H -n {hard} && exec "$@"'
    with log.open("w") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", limited, "sh", *command("serve")],
            cwd=PROJECT_ROOT,
            env=environment | {"PORT": str(port)},
            stderr=output,
        )
    try:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            with suppress(httpx.TransportError):
                httpx.get(f"{address}/health/live")
                break
            time.sleep(0.1)
        yield address
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT_SECONDS)
    finally:
        process.kill()
        process.wait()


def connect_silently(stack: ExitStack, address: str) -> socket.socket:
    """The first of 400 connections that send nothing."""
    url = httpx.URL(address)
    connections = [
        stack.enter_context(socket.create_connection((url.host, url.port))) for _ in range(400)
    ]
    return connections[0]


@pytest.fixture
def settings_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but those of the test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_openapi_prints_the_document_whatever_the_environment(
    environment: dict[str, str],
) -> None:
    done = run(environment | {"ENVIRONMENT": "production"}, "openapi")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads((PROJECT_ROOT / "docs/openapi.json").read_text())


async def test_two_migrations_at_once_take_turns(
    environment: dict[str, str], database_url: str
) -> None:
    await query(database_url, "DROP SCHEMA public CASCADE")
    await query(database_url, "CREATE SCHEMA public")
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(run, environment, "migrate") for _ in range(2)]
    for done in runs:
        assert done.result().returncode == 0, done.result().stderr
    assert len(await query(database_url, "SELECT FROM alembic_version")) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "private-value"),
        ("BCRYPT_ROUNDS", "99"),
        ("CORS_ORIGINS", "*"),
        ("JWT_PRIVATE_KEY", "private-value"),
        ("SMTP_URL", "http://user:private-value@mail.example"),
        ("DATABASE_URL", "mysql://user:private-value@db.example/plaza"),
        ("DATABASE_URL", "postgresql+asyncpg://user:private-value@db.example/plaza"),
    ],
)
@pytest.mark.usefixtures("settings_from_here")
def test_a_wrong_setting_is_named_without_its_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    status, told = refusal(capsys, monkeypatch, "openapi")
    assert status == 2
    assert name in told
    assert "private-value" not in told


@pytest.mark.parametrize("command", ["serve", "migrate"])
@pytest.mark.usefixtures("settings_from_here")
def test_production_without_settings_says_what_to_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    status, told = refusal(capsys, monkeypatch, command)
    assert status == 2
    for name in ("DATABASE_URL", "PUBLIC_URL", "SECRET_KEY", "JWT_PRIVATE_KEY", "SMTP_URL"):
        assert f"set {name}" in told


@pytest.mark.usefixtures("settings_from_here")
def test_a_database_that_is_away_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://plaza:private-value@127.0.0.1:1/plaza")
    status, told = refusal(capsys, monkeypatch, "migrate")
    assert status == 1
    assert "database" in told.lower()
    assert "private-value" not in told
    assert len(told) < 300


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["serve", "extra"]])
def test_another_command_gets_the_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    status, told = refusal(capsys, monkeypatch, *arguments)
    assert status == 2
    assert told.startswith("Usage: python -m src")


async def test_a_taken_port_is_said_in_a_sentence_and_nothing_is_started(
    environment: dict[str, str], database_url: str
) -> None:
    await query(database_url, "DROP TABLE alembic_version")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(environment | {"ENVIRONMENT": "local", "PORT": str(port)}, "serve")
    told = f"Port {port} of 127.0.0.1 is taken: set PORT to a free one\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)


@pytest.mark.parametrize("host", ["a..b", "a" * 64, "name.invalid", "192.0.2.1"])
@pytest.mark.usefixtures("settings_from_here")
def test_a_host_that_is_no_address_of_this_machine_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("HOST", host)
    status, told = refusal(capsys, monkeypatch, "serve")
    assert status == 1
    assert told.startswith(f"HOST {host} ")
    assert told.count("\n") == 1


def test_an_env_file_that_is_not_utf8_is_said_and_not_repeated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"SECRET_KEY=caf\xe9\n")
    status, told = refusal(capsys, monkeypatch, "keys", "list")
    assert status == 2
    assert told == "The settings are not right:\n  .env is not UTF-8\n"


@pytest.mark.usefixtures("settings_from_here")
def test_a_misspelled_setting_is_refused_and_what_is_for_other_programs_is_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others = "COMPOSE_PROJECT_NAME=plaza\nPOSTGRES_PASSWORD=x\nPGHOST=x\n"
    (tmp_path / ".env").write_text(others)
    assert Settings().environment == "local"
    for written, meant in (
        ("PUBLIC_ULR", "PUBLIC_URL"),
        ("EMAIL_FROM", "MAIL_FROM"),
        ("smtp-url", "SMTP_URL"),
    ):
        (tmp_path / ".env").write_text(f"{others}{written}=private-value\n")
        status, told = refusal(capsys, monkeypatch, "keys", "list")
        said = f"The settings are not right:\n  {written.upper()} is no setting: {meant} is\n"
        assert (status, told) == (2, said)


def test_serve_says_where_it_runs_once_it_listens(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with serving(environment | {"ENVIRONMENT": "local"}, log, 1000, 1000) as address:
        pass
    told = log.read_text()
    assert "Uvicorn running on" in told.partition(f"Plaza runs at {address}\n")[0]
    assert told.count(f"{address}/docs\n") == 1
    assert "Finished server process" in told


def test_silent_connections_leave_descriptors_for_the_others(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with serving(environment, log, 256, 256) as address, ExitStack() as silent:
        connect_silently(silent, address)
        for path in ("/health/live", "/health/ready", "/api/v1/posts"):
            assert httpx.get(f"{address}{path}").status_code == 200
        silent.close()
        assert httpx.get(f"{address}/health/ready").status_code == 200
    assert '"level":"error"' not in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_server_takes_the_descriptors_it_may_have(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with serving(environment, tmp_path / "log", 256, 1024) as address, ExitStack() as silent:
        first = connect_silently(silent, address)
        assert httpx.get(f"{address}/health/ready").status_code == 200
        first.setblocking(False)
        with pytest.raises(BlockingIOError):  # still open
            first.recv(1)


def test_a_client_that_leaves_before_its_answers_is_no_error(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    at_once = struct.pack("ii", 1, 0)
    with serving(environment, log, 1000, 1000) as address:
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
            assert client.recv(1)  # of the first answer; no buffer takes them all
        assert httpx.get(f"{address}/health/live").status_code == 200
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert "Finished server process" in lines[-1]["message"]
    assert {line["level"] for line in lines} == {"info"}
