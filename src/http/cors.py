"""Cross-origin requests (Fetch, section 3.3), with cookies."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Send

from src.addresses.origins import split_origin
from src.config import Settings


class ExactCORSMiddleware(CORSMiddleware):
    """Starlette's, for exact origins: it tells the others nothing.

    Starlette's own sends `Access-Control-Allow-Credentials` and the lists to every origin.
    """

    def preflight_response(self, request_headers: Headers) -> Response:
        """Permission, or a refusal without a header that permits anything."""
        if self.is_allowed_origin(request_headers["origin"]):
            return super().preflight_response(request_headers)
        vary = {"Vary": self.preflight_headers["Vary"]}
        return PlainTextResponse("Disallowed CORS origin", 400, vary)

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Complete the response as if another origin had named none."""
        foreign = not self.is_allowed_origin(request_headers.get("origin", ""))
        await super().send(message, send, Headers() if foreign else request_headers)


def own_origins(settings: Settings) -> set[str]:
    """Our own origins, in the form in which browsers send them."""
    urls = [settings.public_url, settings.frontend_url, *settings.cors_origins]
    return {split_origin(url)[0] for url in urls if url}
