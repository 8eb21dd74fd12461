"""Posts."""

from src.features import Feature
from src.posts import personal_data, router

FEATURE = Feature(routers=[router.router], personal_data=personal_data.PERSONAL_DATA)
