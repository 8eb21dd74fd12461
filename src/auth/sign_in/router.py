"""The token endpoint."""

from fastapi import APIRouter, Request, Response

from src.auth.clients.forms import TokenForm, in_document
from src.auth.clients.service import authenticate_client
from src.auth.clients.token_request import read_token_request
from src.auth.dependencies import AuthDep
from src.auth.schemas import SessionTokenRead, TokenRead
from src.auth.sign_in.devices import DeviceDep
from src.dependencies import ReadsDep
from src.http.responses import NOT_KEPT, DocumentResponse

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/token", response_model=TokenRead | SessionTokenRead, openapi_extra=in_document(TokenForm)
)
async def request_token(
    request: Request,
    reads: ReadsDep,
    device: DeviceDep,
    auth: AuthDep,
) -> Response:
    """Sign in with a password and a second factor, or refresh (RFC 6749, sections 4.3 and 6).

    `include` asks for the account as well.
    """
    form = await read_token_request(request)
    client = await authenticate_client(reads, form)
    headers, includes_user = NOT_KEPT, form.includes_user
    if form.grant_type == "refresh_token":
        tokens = await auth.sessions.refresh(form.required("refresh_token"), form.scope, client)
        account = await auth.account_of(tokens) if includes_user else None
    else:
        tokens, device_token, account = await auth.sign_in.with_form(form, client, device.tokens)
        headers = headers | device.remember(device_token)
    document = tokens.model_dump()
    if includes_user:
        document["user"] = account
    return DocumentResponse(document, headers=headers)
