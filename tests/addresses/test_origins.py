"""Origins as browsers write them, and settings that no browser could ever match."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from src.addresses.origins import split_origin
from src.config import Settings
from src.main import create_app
from tests.support import talking_to

REFUSED = [
    "*",
    "null",
    "app.example.com",
    "https://",
    "https://*.example.com",
    "https://app.example.com/?q",
    "https://app.example.com?q",
    "https://app.example.com#f",
    "https://user:S3cret@app.example.com",
    "https://@app.example.com",
    "https://app.example.com:",
    "https://app.example.com:0",
    "https://app.example.com:99999",
    "https://app.example.com:S3cret",
    "https://app example.com",
    "https://app.example.com\n",
    "https:\\\\app.example.com",
    "https://%61pp.example.com",
    "https://app..example.com",
    "https://app.example.com/../x",
    "https://app.example.com//x",
    "https://1.2.3.4.5",
    "https://[::1",
    "https://[S3cret]",
    "http://::1:8000",
    "https://\u00ad.example.com",
    "file:///index.html",
    "data://x",
    "wss://app.example.com",
    "capacitor://\u00fc",
]


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.com/", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        ("http://localhost:05173", "http://localhost:5173"),
        ("https://app.example.com.", "https://app.example.com."),
        ("https://B\u00fccher.example", "https://xn--bcher-kva.example"),
        ("https://bu\u0308cher\u3002example", "https://xn--bcher-kva.example"),
        ("https://fa\u00df.example", "https://xn--fa-hia.example"),
        ("https://\u2615.example", "https://xn--53h.example"),
        ("https://\u043f\u043b\u0430\u0437\u0430.\u0440\u0444", "https://xn--80aauot.xn--p1ai"),
        ("https://my_app.example.com", "https://my_app.example.com"),
        ("http://127.1:8000", "http://127.0.0.1:8000"),
        ("http://0x7f000001", "http://127.0.0.1"),
        ("http://[0:0::1]:8000", "http://[::1]:8000"),
        ("http://[2001:DB8::A]", "http://[2001:db8::a]"),
        ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://localhost", "ionic://localhost"),
        ("Tauri://localhost", "tauri://localhost"),
        ("app://-", "app://-"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
    ],
)
async def test_an_origin_may_be_written_as_people_do(
    plain_settings: Settings, tmp_path: Path, written: str, origin: str
) -> None:
    settings = Settings(
        _env_file=None,
        data_dir=tmp_path,
        environment="test",
        rate_limit_enabled=False,
        cors_origins=f"https://first.test, {written}",  # type: ignore[arg-type]
    )
    assert settings.cors_origins == ["https://first.test", origin]
    async with talking_to(create_app(settings)) as browser:
        answer = await browser.get("/health/live", headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("value", REFUSED)
def test_what_no_browser_sends_is_refused_in_a_sentence(tmp_path: Path, value: str) -> None:
    for name in ("cors_origins", "public_url", "frontend_url"):
        if name == "cors_origins" and value.endswith("\n"):
            continue  # spaces around items are fine
        with pytest.raises(ValidationError) as refused:
            Settings(_env_file=None, data_dir=tmp_path, environment="test", **{name: value})  # type: ignore[arg-type]
        [error] = refused.value.errors(include_input=False)
        assert error["loc"] == (name,)
        assert "S3cret" not in str(refused.value)
        assert len(error["msg"]) > 20


def test_a_path_is_no_part_of_an_origin_but_of_an_address(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="without a path"):
        Settings(_env_file=None, data_dir=tmp_path, cors_origins="https://a.test/b")  # type: ignore[arg-type]
    url = "https://Plaza.Example:443/The/path/"
    settings = Settings(_env_file=None, data_dir=tmp_path, public_url=url, frontend_url=url)
    assert settings.public_url == settings.frontend_url == "https://plaza.example/The/path"
    assert settings.public_path == "/The/path"
    assert split_origin(url) == ("https://plaza.example", "/The/path")
    with pytest.raises(ValidationError, match="http://"):
        Settings(_env_file=None, data_dir=tmp_path, public_url="capacitor://localhost")


class TestRequestHeaders:
    """What pages of other origins may send beside what they always may."""

    async def ask(self, settings: Settings, *names: str) -> int:
        """The status of the preflight."""
        origin = "https://app.test"
        app = create_app(settings.model_copy(update={"cors_origins": [origin]}))
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": ",".join(sorted(name.lower() for name in names)),
        }
        async with talking_to(app) as browser:
            return (await browser.options("/api/v1/posts", headers=asked)).status_code

    async def test_tracing_in_the_browser_works_as_it_comes(self, plain_settings: Settings) -> None:
        traced = ["traceparent", "tracestate", "baggage", "sentry-trace", "X-Request-ID"]
        api = ["Authorization", "Content-Type", "Accept-Language", "If-Match", "If-None-Match"]
        assert await self.ask(plain_settings, *traced, *api, "Idempotency-Key") == 200
        assert await self.ask(plain_settings, "X-Other") == 400

    async def test_they_are_a_setting(
        self, plain_settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CORS_ALLOWED_HEADERS", "Authorization, X-Other")
        allowed = Settings(_env_file=None, data_dir=plain_settings.data_dir).cors_allowed_headers
        settings = plain_settings.model_copy(update={"cors_allowed_headers": allowed})
        assert await self.ask(settings, "Authorization", "X-Other") == 200
        assert await self.ask(settings, "traceparent") == 400
        for value in ("*", "X Other", "X-Other:", "X-\u00dcber"):
            monkeypatch.setenv("CORS_ALLOWED_HEADERS", value)
            with pytest.raises(ValidationError, match="cors_allowed_headers"):
                Settings(_env_file=None, data_dir=plain_settings.data_dir)
