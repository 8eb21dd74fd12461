"""Accounts and profiles: below every other feature."""

from src.features import Feature
from src.users import personal_data, router

FEATURE = Feature(routers=[router.router], personal_data=personal_data.PERSONAL_DATA)
