"""Personal access tokens."""

from src.features import Feature
from src.personal_tokens import authenticator, personal_data, router, tasks

FEATURE = Feature(
    routers=[router.router],
    tags={"personal tokens": "Tokens for programs of your own, such as scripts."},
    schedules=tasks.SCHEDULES,
    personal_data=personal_data.PERSONAL_DATA,
    lifespan=authenticator.lifespan,
)
