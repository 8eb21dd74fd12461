"""What the table of personal access tokens holds about a user."""

from src.personal_data import rows_of
from src.personal_tokens.models import PersonalToken
from src.personal_tokens.reads import PERSONAL_TOKEN

PERSONAL_DATA = [
    rows_of(
        "personal_tokens",
        PersonalToken.user_id,
        PERSONAL_TOKEN,
        PersonalToken.created_at,
        PersonalToken.id,
        scopes={"profile:read"},
    )
]
