"""The contracts of import-linter name what they are about; `make check` holds the code to them."""

import tomllib

from src.config import PROJECT_ROOT


def test_every_router_is_protected() -> None:
    """Its wildcards stand for whole names, so each name of a router has to be listed."""
    settings = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    contracts = {one["id"]: one for one in settings["tool"]["importlinter"]["contracts"]}
    routers = {path.stem for path in (PROJECT_ROOT / "src").glob("*/*router.py")}
    assert {"router", "oauth_router"} <= routers
    assert contracts["routers"]["protected_modules"] == sorted(
        (f"src.*.{name}" for name in routers), key=lambda name: (name != "src.*.router", name)
    )
