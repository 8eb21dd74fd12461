"""Taking one's data along, and deleting one's account."""

from src.account import router
from src.features import Feature

FEATURE = Feature(routers=[router.router])
