"""What travels about the second factor."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from src.auth.schemas import Password
from src.schemas import Input, Output, Text

AppCode = Annotated[str, Text(64), Field(examples=["123456"])]
Code = Annotated[AppCode, Field(description="Of the authenticator app, or a recovery code")]


class TotpEnrol(Input):
    """The password again."""

    current_password: Password


class TotpConfirm(Input):
    """The first code that the app shows."""

    code: AppCode


class MfaProof(Input):
    """Both factors again."""

    current_password: Password
    code: Code


class MfaRead(Output):
    """What one has of a second factor."""

    totp_enabled: bool
    confirmed_at: datetime | None
    recovery_codes_left: int


class TotpRead(Output):
    """A secret to share with an authenticator app; the SVG element may be inlined as it is."""

    secret: Annotated[str, Field(description="In base32, to type in")]
    otpauth_url: str
    qr_svg: Annotated[str, Field(description="The URL as a QR code")]


class RecoveryCodesRead(Output):
    """Each stands in for the app once. They are shown this once."""

    recovery_codes: Annotated[list[str], Field(examples=[["k3vd-9xqm-7hpw-2fzt"]])]
