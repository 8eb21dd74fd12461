"""One-time codes: those of an authenticator app (RFC 6238), and those to recover without it."""

import base64
import hmac
import io
import re
import secrets
from datetime import datetime
from urllib.parse import quote

import pyotp
import segno

# What every app supports, and takes for granted: SHA-1, six digits, thirty seconds.
STEP_SECONDS = 30
SECRET_BYTES = 20  # RFC 4226, section 4, R6
RECOVERY_CODES = 10
RECOVERY_CODE_BYTES = 10

_APP_CODE = re.compile("[0-9]{6}")
_SEPARATORS = re.compile(r"[\s-]+")


def normalize_code(code: str) -> str:
    """The code in lower case, without the blanks and hyphens that make it readable."""
    return _SEPARATORS.sub("", code).lower()


def is_app_code(code: str) -> bool:
    """Whether a normalised code has the form of an app's, and so not of one to recover."""
    return _APP_CODE.fullmatch(code) is not None


def new_secret() -> bytes:
    """A secret to share with an authenticator app."""
    return secrets.token_bytes(SECRET_BYTES)


def readable_secret(secret: bytes) -> str:
    """The secret in base32, as one types it into an app."""
    return base64.b32encode(secret).decode()


def matching_step(secret: bytes, code: str, now: datetime) -> int | None:
    """The time step whose code this is, or None: that of now, or one before or after it.

    A clock may be half a minute off (RFC 6238, section 5.2). Every step is compared, in constant
    time.
    """
    app = pyotp.TOTP(readable_secret(secret))
    current = int(now.timestamp()) // STEP_SECONDS
    matching = [
        step
        for step in (current - 1, current, current + 1)
        if hmac.compare_digest(app.generate_otp(step).encode(), code.encode())
    ]
    return max(matching, default=None)


def otpauth_url(secret: bytes, issuer: str, account: str) -> str:
    """What an authenticator app reads from the QR code (the Key URI Format).

    The issuer has no colon: that is what divides it from the account.
    """
    name, owner = quote(issuer, safe=""), quote(account, safe="")
    return f"otpauth://totp/{name}:{owner}?secret={readable_secret(secret)}&issuer={name}"


def qr_svg(text: str) -> str:
    """The text as a QR code: an SVG element of the viewer's size, black on white.

    It is made of numbers alone, so that it may be put into a page as it is.
    """
    svg = io.BytesIO()
    segno.make(text, micro=False).save(
        svg,
        kind="svg",
        xmldecl=False,
        nl=False,
        omitsize=True,
        dark="#000",
        light="#fff",
        svgclass=None,
        lineclass=None,
    )
    return svg.getvalue().decode()


def new_recovery_codes() -> list[str]:
    """Codes of 80 random bits, in groups of base32."""
    return [_readable_recovery_code() for _ in range(RECOVERY_CODES)]


def _readable_recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(RECOVERY_CODE_BYTES)).decode().lower()
    return "-".join(re.findall("....", text))
