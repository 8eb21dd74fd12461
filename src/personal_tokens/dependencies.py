"""Dependencies about personal access tokens."""

from typing import Annotated

from fastapi import Depends

from src.auth.dependencies import AuthDep
from src.personal_tokens.service import PersonalTokenService


async def get_personal_token_service(auth: AuthDep) -> PersonalTokenService:
    """The personal token service on the request's session."""
    return PersonalTokenService(auth)


PersonalTokenServiceDep = Annotated[PersonalTokenService, Depends(get_personal_token_service)]
