"""Which events a webhook gets."""

from src.events.kinds import KINDS

TEST = "webhook.test"
SELECTIONS = ("*", *sorted({f"{kind.partition('.')[0]}.*" for kind in KINDS}), *KINDS)


def selections_of(kind: str) -> list[str]:
    """What in a webhook's `kinds` selects events of this kind."""
    return ["*", f"{kind.partition('.')[0]}.*", kind]
