"""Plaza and the proxies of Debian in front of it, each a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from src.config import PROJECT_ROOT
from tests.support import free_port

TIMEOUT_SECONDS = 60


def caddy(folder: Path, port: int, plaza: int) -> list[str]:
    """A plain reverse proxy, as its documentation begins."""
    path = folder / "Caddyfile"
    path.write_text(
        f"{{\n admin off\n auto_https off\n storage file_system {folder}\n}}\n"
        f"http://:{port} {{\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:{plaza}\n}}\n"
    )
    return ["/usr/bin/caddy", "run", "--config", str(path), "--adapter", "caddyfile"]


def nginx(folder: Path, port: int, plaza: int) -> list[str]:
    """With kept connections, and the map that its documentation has for WebSockets."""
    path = folder / "nginx.conf"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    path.write_text(f"""
        {"user root;" if os.geteuid() == 0 else ""}
        daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
        events {{}}
        http {{
            access_log off; {temporary}
            map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
            upstream plaza {{ server 127.0.0.1:{plaza}; keepalive 4; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://plaza;
                    proxy_http_version 1.1;
                    proxy_set_header Host $host;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $connection_upgrade;
                }}
            }}
        }}
    """)
    return ["/usr/sbin/nginx", "-e", f"{folder}/error.log", "-c", str(path)]


def haproxy(folder: Path, port: int, plaza: int) -> list[str]:
    """Which shares its connections between clients wherever it can."""
    path = folder / "haproxy.cfg"
    path.write_text(
        "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
        f"frontend clients\n bind 127.0.0.1:{port}\n default_backend plaza\n"
        f"backend plaza\n http-reuse always\n server plaza 127.0.0.1:{plaza}\n"
    )
    return ["/usr/sbin/haproxy", "-db", "-f", str(path)]


Proxy = Callable[[Path, int, int], list[str]]
PROXIES: list[Proxy] = [caddy, nginx, haproxy]


@contextmanager
def running(command: list[str], port: int, log: Path, env: Mapping[str, str]) -> Iterator[int]:
    """A program that serves Plaza at that port, from its first answer until it is ended."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, env=env, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200:
                    break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(TIMEOUT_SECONDS)


@contextmanager
def plaza(folder: Path, database_url: str) -> Iterator[int]:
    """Plaza on that database, as production starts it: its port."""
    port = free_port()
    env = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(folder),
        "DATABASE_URL": database_url,
        "ENVIRONMENT": "test",
        "PORT": str(port),
        "RATE_LIMIT_ENABLED": "false",
        "BCRYPT_ROUNDS": "4",
        "WORKER_IN_SERVER": "false",
    }
    with running([sys.executable, "-m", "src", "serve"], port, folder / "plaza.log", env):
        yield port


@contextmanager
def in_front(proxy: Proxy, folder: Path, plaza: int) -> Iterator[int]:
    """The proxy in front of Plaza: its port."""
    port, name = free_port(), proxy.__name__
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with running(proxy(folder, port, plaza), port, folder / f"{name}.log", env):
        yield port
