"""Accounts and profiles: below every other feature."""

from src.features import Feature
from src.users import personal_data, router

FEATURE = Feature(
    routers=[router.router],
    tags={"users": "Your own profile, and what everybody may see of others."},
    personal_data=personal_data.PERSONAL_DATA,
)
