"""Taking one's data along, and deleting one's account."""

from src.account import router
from src.features import Feature

FEATURE = Feature(
    routers=[router.router],
    tags={"account": "Your own password, address, second factor and data."},
)
