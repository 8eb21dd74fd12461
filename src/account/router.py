"""One's data over HTTP: taking it along, and having it deleted."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from src.account.dependencies import DeletionServiceDep, ExportServiceDep
from src.account.schemas import AccountDelete
from src.http.responses import IfMatchDep
from src.users.dependencies import AccountReader, AccountWriter

router = APIRouter(prefix="/users/me", tags=["account"])


@router.get("/export", response_model=dict[str, list[dict[str, Any]]])
async def export_account(me: AccountReader, exports: ExportServiceDep) -> Response:
    """Get everything that is held about you. If the document breaks off, it is not valid JSON.

    `left_out` names the sections that your token may not read: it lacks `missing_scope`. You
    are told by mail that it was downloaded.
    """
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="plaza-{me.user["username"]}.json"',
    }
    document = await exports.begin(me)
    return StreamingResponse(document, headers=headers, media_type="application/json")


@router.delete("", status_code=204, response_class=Response)
async def delete_me(
    me: AccountWriter, data: AccountDelete, if_match: IfMatchDep, deletions: DeletionServiceDep
) -> None:
    """Delete your account and all that belongs to it, for ever.

    `If-Match` guards against a change made meanwhile.
    """
    await deletions.delete(me, data.current_password, if_match)
