"""Run uv with the indexes, the proxy and the certificates that pip is set up with.

uv reads none of pip's settings, so a machine with a mirror in pip.conf would have to say it twice.
Variables that are set already, such as UV_INDEX_URL, win.
"""

import ast
import os
import subprocess
import sys

VARIABLES = {
    "index-url": "UV_INDEX_URL",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
}


def pip_settings() -> dict[str, str]:
    """What `pip install` reads from its files and from PIP_* variables."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    environment = os.environ | {"PIP_QUIET": "0"}  # a quiet pip lists nothing
    listed = subprocess.check_output(command, env=environment, text=True)
    settings = {}
    for section in ("global", "install", ":env:"):  # in pip's order: the last one wins
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{section}."):
                settings[key.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return settings


def main() -> None:
    settings = pip_settings()
    # pip trusts what the system trusts, on Debian and since 24.2. It takes the best release of any
    # index; here the hashes say what may be taken.
    environment = {"UV_SYSTEM_CERTS": "true", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    for name, variable in VARIABLES.items():
        if words := settings.get(name, "").split():
            separator = "," if name == "find-links" else " "
            environment[variable] = separator.join(map(os.path.expanduser, words))
    command = [sys.executable, "-m", "uv", *sys.argv[1:]]
    if settings.get("no-index", "").lower() in {"1", "y", "yes", "t", "true", "on"}:
        command.append("--no-index")
    os.execve(sys.executable, command, environment | os.environ)


main()
