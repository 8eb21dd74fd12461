"""The documentation, as the tests read it."""

import re
from dataclasses import dataclass
from pathlib import Path

from src.config import PROJECT_ROOT

README = PROJECT_ROOT / "README.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADED_BLOCK = re.compile(r"^`([^`\n]+)`\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code."""

    language: str
    code: str


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    folders = (PROJECT_ROOT / "docs", PROJECT_ROOT / "benchmarks")
    nested = [path for folder in folders for path in folder.rglob("*.md")]
    ours = [path for path in nested if "node_modules" not in path.parts]
    return sorted([*PROJECT_ROOT.glob("*.md"), *ours])


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a text, in order."""
    return [Block(*found) for found in _FENCE.findall(text)]


def headed_blocks(text: str) -> dict[str, str]:
    """The blocks that follow a line with nothing but a path, by that path."""
    return dict(_HEADED_BLOCK.findall(text))


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", text)


def section(text: str, heading: str) -> str:
    """What stands between a heading of the second level and the next."""
    _, _, after = text.partition(f"\n## {heading}\n")
    assert after, f"there is no section {heading!r}"
    return after.partition("\n## ")[0]
