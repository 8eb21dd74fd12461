"""The origins of our own, in the form that browsers send (RFC 6454, section 6.2)."""

import pytest

from src.config import Settings
from src.http.cors import own_origins


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://plaza.test", "https://plaza.test"),
        ("https://Plaza.Test:443/base/path", "https://plaza.test"),
        ("http://plaza.test:80", "http://plaza.test"),
        ("http://plaza.test:443", "http://plaza.test:443"),
        ("https://plaza.test:8443/", "https://plaza.test:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://b\u00fccher.test", "https://xn--bcher-kva.test"),
    ],
)
def test_an_origin_is_scheme_host_and_port(settings: Settings, url: str, origin: str) -> None:
    for name in ("public_url", "frontend_url"):
        changed = settings.model_copy(update={"public_url": "http://other.test", name: url})
        assert origin in own_origins(changed)


def test_there_are_no_others(settings: Settings) -> None:
    assert own_origins(settings) == {"http://plaza.test"}
    more = {"frontend_url": "https://app.test", "cors_origins": ["http://localhost:5173"]}
    assert own_origins(settings.model_copy(update=more)) == {
        "http://plaza.test",
        "https://app.test",
        "http://localhost:5173",
    }
