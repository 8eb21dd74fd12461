"""What travels about previews."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from src.schemas import Output


class PreviewLinkRead(Output):
    """A link that shows a draft."""

    url: Annotated[
        str,
        Field(description="With FRONTEND_URL it leads there, with the token in the fragment"),
    ]
    token: Annotated[str, Field(description="For `GET /post-previews/{token}`")]
    expires_at: datetime
