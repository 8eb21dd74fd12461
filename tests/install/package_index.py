"""A package index of a later day, which has a newer release of everything than the pinned one."""

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distributions
from pathlib import Path
from threading import Thread
from zipfile import ZipFile, ZipInfo

import uv
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

_PIN = re.compile(r"^([\w.-]+)==(\S+)(.*?) \\\n(?: {4}--hash=\S+(?: \\)?\n)+", re.MULTILINE)
_METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_EXTRA = re.compile(r"^Provides-Extra: .*\n", re.MULTILINE)
# What no older requirement can know of: an extra, and a dependency that nobody can have.
_NEWS = "Provides-Extra: news\nRequires-Dist: plaza-tests-nobody-has-this\n"


def pinned(requirements: str) -> dict[str, str]:
    """The versions that are pinned for this machine, by the names of the packages."""
    lines = (f"{name}=={version}{marker}" for name, version, marker in _PIN.findall(requirements))
    wanted = [line for line in map(Requirement, lines) if not line.marker or line.marker.evaluate()]
    return {line.name: next(iter(line.specifier)).version for line in wanted}


def publish(requirements: str, folder: Path) -> str:
    """Write wheels of each pinned release and of a newer one; answer with the hashes of the pinned.

    A pinned release depends on what the real one does, so that extras are asked for as they are in
    life; it holds no code, unless it is uv, which has to run.
    """
    installed = {
        (canonicalize_name(one.name), one.version): one.read_text("METADATA") or ""
        for one in distributions()
    }

    def replacement(pin: re.Match[str]) -> str:
        name, version, marker = pin.groups()
        metadata = installed.get(
            (canonicalize_name(name), version), _METADATA.format(name, version)
        )
        wheel = _wheel(folder, name, version, metadata, _uv(version) if name == "uv" else {})
        newer = f"{Version(version).base_version}.1"
        extras = "".join(_EXTRA.findall(metadata))
        _wheel(folder, name, newer, _METADATA.format(name, newer) + extras + _NEWS, {})
        digest = sha256(wheel.read_bytes()).hexdigest()
        return f"{name}=={version}{marker} \\\n    --hash=sha256:{digest}\n"

    return _PIN.sub(replacement, requirements)


def _uv(version: str) -> dict[str, bytes]:
    files = {f"uv-{version}.data/scripts/uv": Path(uv.find_uv_bin()).read_bytes()}
    for module in Path(uv.__file__).parent.glob("*.py"):
        files[f"uv/{module.name}"] = module.read_bytes()
    return files


def _wheel(folder: Path, name: str, version: str, metadata: str, files: dict[str, bytes]) -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    wheel = folder / canonicalize_name(name) / f"{stem}-py3-none-any.whl"
    wheel.parent.mkdir(parents=True, exist_ok=True)
    about = {
        f"{stem}.dist-info/METADATA": metadata.encode(),
        f"{stem}.dist-info/WHEEL": _WHEEL.encode(),
    }
    record = f"{stem}.dist-info/RECORD"
    listed = "".join(f"{path},,\n" for path in [*files, *about, record])
    with ZipFile(wheel, "w") as archive:
        for path, content in (files | about | {record: listed.encode()}).items():
            entry = ZipInfo(path)  # of a fixed date, so that the same content has the same hash
            entry.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(entry, content)
    return wheel


class _Listing(SimpleHTTPRequestHandler):
    """The links of a folder, which is what PEP 503 asks for."""

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # uv connects many times at once


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of the index that a folder of `publish` is."""
    with _Server(("127.0.0.1", 0), partial(_Listing, directory=folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
