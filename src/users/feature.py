"""Accounts and profiles: below every other feature."""

from src.features import Feature
from src.users import personal_data, router
from src.users.relationships import router as relationships
from src.users.relationships.reads import PERSONAL_DATA

FEATURE = Feature(
    routers=[relationships.router, router.router],
    tags={"users": "Your own profile, and what everybody may see of others."},
    personal_data=[*personal_data.PERSONAL_DATA, *PERSONAL_DATA],
)
