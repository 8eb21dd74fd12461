"""The contracts of import-linter name what they are about; `make check` holds the code to them."""

import re
import tomllib

from src.config import PROJECT_ROOT
from src.main import FEATURES

SETTINGS = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
CONTRACTS = {one["id"]: one for one in SETTINGS["tool"]["importlinter"]["contracts"]}
SRC = PROJECT_ROOT / "src"


def test_every_router_is_protected() -> None:
    protected = CONTRACTS["routers"]["protected_modules"]
    patterns = [re.escape(one).replace(r"\*", r"\w+") for one in protected]
    routers = {
        ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts)
        for path in SRC.glob("**/*router.py")
    }
    assert "src.auth.sign_in.web_router" in routers
    unprotected = {one for one in routers if not any(re.fullmatch(it, one) for it in patterns)}
    assert not unprotected


def test_every_folder_is_a_room_below_the_features_or_one_of_them() -> None:
    contract = CONTRACTS["features"]
    rooms = {one.split(".")[1] for one in contract["source_modules"] if one.endswith(".**")}
    assert contract["ignore_imports"] == [f"src.** -> src.{room}.**" for room in sorted(rooms)]
    folders = {path.parent.name for path in SRC.glob("*/__init__.py")}
    listed = (SRC / "main.py").read_text()
    features = {name for name in folders - rooms if f"    {name}.FEATURE,\n" in listed}
    assert folders == rooms | features
    assert len(FEATURES) >= len(features) > 0
