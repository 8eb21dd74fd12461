"""Personal access tokens."""

from src.features import Feature
from src.personal_tokens import authenticator, personal_data, router, tasks

FEATURE = Feature(
    routers=[router.router],
    schedules=tasks.SCHEDULES,
    personal_data=personal_data.PERSONAL_DATA,
    lifespan=authenticator.lifespan,
)
