"""uv is run with what pip is set up with."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from src.config import PROJECT_ROOT

# Stands in for uv.
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
PIP_CONF = """
[global]
quiet = 1
index-url = https://mirror.example/simple
extra-index-url =
    https://one.example/simple
    https://two.example/simple
find-links = ~/wheels /srv/wheels
trusted-host = mirror.example one.example
proxy = http://proxy.example:3128
cert = ~/authority.pem
client-cert = /srv/client.pem
"""


def run_uv(home: Path, pip_conf: str, **variables: str) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment that uv is run with."""
    (home / "uv.py").write_text(SHOW)
    (home / "pip.conf").write_text(pip_conf)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(home),
        "PIP_CONFIG_FILE": str(home / "pip.conf"),
    }
    done = subprocess.run(
        [sys.executable, PROJECT_ROOT / "requirements/run_uv.py", "pip", "sync"],
        env=environment | variables,
        stdout=subprocess.PIPE,
        check=True,
    )
    arguments, shown = orjson.loads(done.stdout)
    return arguments, shown


def test_pips_settings_are_uvs(tmp_path: Path) -> None:
    arguments, environment = run_uv(tmp_path, PIP_CONF)
    assert arguments == ["pip", "sync"]
    wanted = {
        "UV_INDEX_URL": "https://mirror.example/simple",
        "UV_EXTRA_INDEX_URL": "https://one.example/simple https://two.example/simple",
        "UV_FIND_LINKS": f"{tmp_path}/wheels,/srv/wheels",
        "UV_INSECURE_HOST": "mirror.example one.example",
        "ALL_PROXY": "http://proxy.example:3128",
        "SSL_CERT_FILE": f"{tmp_path}/authority.pem",
        "SSL_CLIENT_CERT": "/srv/client.pem",
        "UV_SYSTEM_CERTS": "true",
    }
    assert wanted.items() <= environment.items()


def test_the_nearest_setting_wins_as_in_pip(tmp_path: Path) -> None:
    pip_conf = f"{PIP_CONF}\n[install]\nindex_url = https://install.example/simple\n"
    _, environment = run_uv(tmp_path, pip_conf)
    assert environment["UV_INDEX_URL"] == "https://install.example/simple"
    url = "https://variable.example/simple"
    _, environment = run_uv(tmp_path, pip_conf, PIP_INDEX_URL=url)
    assert environment["UV_INDEX_URL"] == url


def test_uvs_own_variables_win(tmp_path: Path) -> None:
    url = "https://uv.example/simple"
    _, environment = run_uv(tmp_path, PIP_CONF, UV_INDEX_URL=url, UV_SYSTEM_CERTS="false")
    assert environment["UV_INDEX_URL"] == url
    assert environment["UV_SYSTEM_CERTS"] == "false"


@pytest.mark.parametrize(("value", "added"), [("true", ["--no-index"]), ("0", [])])
def test_no_index_is_asked_when_pip_asks_none(tmp_path: Path, value: str, added: list[str]) -> None:
    arguments, _ = run_uv(tmp_path, PIP_CONF, PIP_NO_INDEX=value)
    assert arguments == ["pip", "sync", *added]
