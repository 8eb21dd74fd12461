"""The reads of personal access tokens."""

from uuid import UUID

from sqlalchemy import func

from src.personal_tokens.models import PersonalToken
from src.personal_tokens.schemas import PersonalTokenRead
from src.sql.listing import listing
from src.sql.shapes import Shape
from src.sql.statements import Rows, read

PERSONAL_TOKEN = Shape.of(
    PersonalTokenRead, PersonalToken, scopes=func.string_to_array(PersonalToken.scope, " ")
)


@read(PERSONAL_TOKEN)
def own_token(rows: Rows, user_id: UUID, token_id: UUID) -> Rows:
    """The user's token."""
    return rows.where(PersonalToken.user_id == user_id, PersonalToken.id == token_id)


@listing(PERSONAL_TOKEN, by=PersonalToken.created_at)
def own_tokens(rows: Rows, user_id: UUID) -> Rows:
    """The user's tokens."""
    return rows.where(PersonalToken.user_id == user_id)
