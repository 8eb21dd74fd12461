"""Where the benchmark runs: its folder, the processor cores, and what every server is told."""

import os
from collections.abc import Mapping

from pydantic import SecretStr

from src.config import PROJECT_ROOT, Settings

DATA_DIR = PROJECT_ROOT / "var" / "benchmarks"
PUBLIC_URL = "http://plaza.benchmark"
BCRYPT_ROUNDS = 12

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = CORES[:1]
OTHER_CORES = CORES[1:] or CORES


def settings_with_keys() -> Settings:
    """Settings with the keys that the servers find under `DATA_DIR`, made at the first run."""
    return Settings(
        _env_file=None,
        environment="test",
        data_dir=DATA_DIR,
        public_url=PUBLIC_URL,
        secret_key=SecretStr(""),
        jwt_private_key=SecretStr(""),
    )


def server_environment(
    database_url: str, port: int = 0, settings: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """The environment of a server: these settings and nothing from outside."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(PROJECT_ROOT),
        "ENVIRONMENT": "test",
        "DATABASE_URL": database_url,
        "DATA_DIR": str(DATA_DIR),
        "PUBLIC_URL": PUBLIC_URL,
        "PORT": str(port),
        "WORKER_IN_SERVER": "false",
        "ACCESS_LOG": "false",
        "RATE_LIMIT_ENABLED": "false",  # every request comes from one address
        "BCRYPT_ROUNDS": str(BCRYPT_ROUNDS),
        "PASSWORD_WAIT_SECONDS": "60",  # nobody is turned away
        **(settings or {}),
    }
