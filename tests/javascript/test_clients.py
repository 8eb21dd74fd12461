"""Linters find nothing in the OpenAPI document, and clients generated from it compile and work."""

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest
from fastapi import FastAPI

from src.config import PROJECT_ROOT
from tests.http.protocol.raw_http import port_of, serving
from tests.javascript.support import HERE, run
from tests.support import PASSWORD, Account

pytestmark = pytest.mark.javascript

DOCUMENT = PROJECT_ROOT / "docs/openapi.json"  # a test holds it to the application
TYPES = ("--default-non-nullable=false",)  # as docs/front-ends.md says
FASTIFY = PROJECT_ROOT / "benchmarks/peers/fastify"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clients, and what uses them."""
    folder = tmp_path_factory.mktemp("front-end")
    for name in ("front-end.ts", "types.ts", "tsconfig.json"):
        shutil.copy(HERE / name, folder)
    run("openapi-ts", "--input", DOCUMENT, "--output", folder / "client")
    run("openapi-typescript", DOCUMENT, *TYPES, "--output", folder / "schema.ts")
    return folder


def test_redocly_finds_nothing() -> None:
    found = json.loads(run("redocly", "lint", "--extends=recommended", "--format=json", DOCUMENT))
    assert found["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}


def test_spectral_finds_nothing() -> None:
    ruleset = HERE / "spectral.json"
    arguments = ("--format=json", "--fail-severity=hint", "--quiet")
    assert json.loads(run("spectral", "lint", "--ruleset", ruleset, *arguments, DOCUMENT)) == []


def test_generated_clients_compile(generated: Path) -> None:
    run("tsc", "--project", ".", "--noEmit", cwd=generated)


async def test_a_generated_client_works(generated: Path, app: FastAPI, ann: Account) -> None:
    arguments = ("--module", "commonjs", "--moduleResolution", "node10", "--outDir", "run")
    run("tsc", "--project", ".", *arguments, cwd=generated)
    async with serving(app) as server:
        command = (generated / "run/front-end.js", f"http://127.0.0.1:{port_of(server)}")
        written = await asyncio.to_thread(run, "node", *command, ann.username, PASSWORD)
    slug, errors, titles, changed, is_set = json.loads(written)
    assert slug == "hello"
    assert (titles, changed, is_set) == (["Hello"], ["changed", "ok"], False)
    assert [error["loc"] for error in errors] == [["body", "title"], ["body", "body"]]


def test_every_operation_is_a_function_of_the_client(generated: Path) -> None:
    client = (generated / "client/sdk.gen.ts").read_text()
    functions = re.findall("^export const (\\w+) = ", client, re.MULTILINE)
    document = json.loads(DOCUMENT.read_text())
    names = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert sorted(functions) == sorted(names)


@pytest.mark.parametrize("folder", [HERE, FASTIFY], ids=lambda folder: folder.name)
def test_the_lock_file_names_no_registry(folder: Path) -> None:
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert len(packages) > 50
    assert [name for name, package in packages.items() if "resolved" in package] == []
