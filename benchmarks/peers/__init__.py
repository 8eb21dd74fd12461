"""Servers of other languages, for those who have what runs them."""

import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from shutil import which

from benchmarks.servers import FASTIFY, FASTIFY_DIR

OLDEST_NODE = 20, 19  # as package.json says
_INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")


async def install_peers() -> list[str]:
    """Install what the peers need; the names of those that can run.

    One line on standard error says why another one cannot.
    """
    if missing := [program for program in ("node", "npm") if not which(program)]:
        return _left_out(f"{' and '.join(missing)} missing")
    node = await create_subprocess_exec("node", "--version", stdout=PIPE)
    version = (await node.communicate())[0].decode().strip()
    if tuple(map(int, version.removeprefix("v").split(".")[:2])) < OLDEST_NODE:
        return _left_out(f"Node.js {version} is too old")
    npm = await create_subprocess_exec(
        *_INSTALL, "--loglevel=error", cwd=FASTIFY_DIR, stdout=PIPE, stderr=PIPE
    )
    _, errors = await npm.communicate()
    if npm.returncode:
        first = errors.decode().partition("\n")[0]
        return _left_out(f"npm ci ended with {npm.returncode}: {first}")
    return [FASTIFY]


def _left_out(why: str) -> list[str]:
    print(f"{FASTIFY} is left out: {why}", file=sys.stderr)
    return []
