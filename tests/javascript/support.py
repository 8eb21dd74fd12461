"""The programs in node_modules."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}


def run(*command: str | Path, cwd: Path = HERE, given: str = "") -> str:
    """What a program writes; it has to succeed."""
    programs = HERE / "node_modules/.bin"
    assert programs.exists(), "make test-javascript installs the programs"
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | QUIET | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
