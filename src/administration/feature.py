"""Managing users, and the audit log."""

from src.administration import router
from src.features import Feature

FEATURE = Feature(
    routers=[router.router],
    tags={"administration": "For those who manage users or read the audit log."},
)
