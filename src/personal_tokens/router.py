"""Personal access tokens over HTTP."""

from fastapi import APIRouter, Request, Response

from src.addresses.public_path import path_of
from src.dependencies import ReadsDep, SessionDep
from src.http.responses import DocumentResponse
from src.idempotency.keys import IdempotencyDep
from src.limits.rate_limits import MAY_SEND_MAIL
from src.pagination import PageDep, page_response
from src.personal_tokens.dependencies import PersonalTokenServiceDep
from src.personal_tokens.reads import PERSONAL_TOKEN, own_token, own_tokens
from src.personal_tokens.schemas import (
    PersonalTokenCreate,
    PersonalTokenCreated,
    PersonalTokenRead,
)
from src.schemas import Id, Page
from src.users.dependencies import AccountReader, AccountWriter

router = APIRouter(prefix="/users/me/tokens", tags=["personal tokens"])


@router.get("", response_model=Page[PersonalTokenRead])
async def list_personal_tokens(
    request: Request,
    which: PageDep,
    me: AccountReader,
    reads: ReadsDep,
) -> Response:
    """List your personal access tokens, newest first. An expired one is kept for 30 days."""
    return page_response(request, which, await own_tokens.page(reads, which, user_id=me.user_id))


@router.post("", status_code=201, response_model=PersonalTokenCreated, dependencies=[MAY_SEND_MAIL])
async def create_personal_token(
    request: Request,
    me: AccountWriter,
    data: PersonalTokenCreate,
    tokens: PersonalTokenServiceDep,
    session: SessionDep,
    idempotency: IdempotencyDep,
) -> Response:
    """Make a token for a program. Its text is shown this once."""

    async def answer() -> Response:
        token, text = await tokens.create(me, data)
        document = PERSONAL_TOKEN.of_entity(token) | {"token": text}
        headers = {
            "Location": f"{path_of(request.scope)}/{token.id}",
            "Cache-Control": "no-store",
        }
        return DocumentResponse(document, status_code=201, headers=headers)

    return await idempotency.once(session, answer)


@router.get("/{token_id}", response_model=PersonalTokenRead)
async def get_personal_token(token_id: Id, me: AccountReader, reads: ReadsDep) -> Response:
    """Get one of your personal access tokens. Its text is not shown again."""
    return DocumentResponse(await own_token.one(reads, user_id=me.user_id, token_id=token_id))


@router.delete("/{token_id}", status_code=204, response_class=Response)
async def delete_personal_token(
    token_id: Id, me: AccountWriter, tokens: PersonalTokenServiceDep
) -> None:
    """Delete one of your personal access tokens. It is dead at the next request."""
    await tokens.delete(me.user_id, token_id)
