"""Settings: everything that can be set from outside, read once from the environment and `.env`."""

import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from limits import parse_many
from src.addresses.localhost import local_url
from src.addresses.mail_addresses import parse_mailbox
from src.addresses.origins import split_origin
from src.addresses.urls import check_database_url, check_redis_url, check_smtp_url, check_web_url

PROJECT_ROOT = Path(__file__).resolve().parent.parent
MINIMUM_PRODUCTION_BCRYPT_ROUNDS = 10
MINIMUM_SECRET_LENGTH = 32
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_USERNAME = re.compile(r"[A-Za-z0-9_-]+")
_CHECKS = {
    "database_url": check_database_url,
    "smtp_url": check_smtp_url,
    "redis_url": check_redis_url,
}


def _seconds(value: object) -> object:
    return float(value) if isinstance(value, str) and _SECONDS.fullmatch(value.strip()) else value


# Seconds, HH:MM:SS or an ISO 8601 duration such as P14D; a hundred years from now is still a date.
LONGEST = timedelta(days=36500)
Duration = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0), le=LONGEST)]
# What PostgreSQL can count.
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
# From what it does not take for no limit, to a day.
Wait = Annotated[float, Field(ge=0.001, le=86400)]


def _rate_limit(value: str) -> str:
    with suppress(ValueError):  # it repeats the value
        match parse_many(value):
            case [limit] if limit.amount > 0 and 0 < limit.get_expiry() <= LONGEST.total_seconds():
                return value
    raise ValueError("must be one limit of one request or more, such as 1200/minute")


# A number and a time, such as 100/minute or 1000 per 5 minutes.
RateLimit = Annotated[str, AfterValidator(_rate_limit)]


# A header's name (RFC 9110, section 5.1).
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'+.^_`|~0-9A-Za-z-]+$")]


class Settings(BaseSettings):
    """Plaza's settings. Each one is described in `.env.dist`.

    Raises:
        pydantic.ValidationError: a value is wrong, or production lacks what it must be given.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    # Where it runs
    environment: Literal["local", "test", "production"] = "local"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    public_url: str = ""
    hsts_include_subdomains: bool = False
    frontend_url: str | None = None
    cors_origins: Annotated[list[str], NoDecode] = []
    cors_allowed_headers: Annotated[list[HeaderName], NoDecode] = [
        "Authorization",
        "Content-Type",
        "Accept-Language",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "X-Request-ID",
        "traceparent",
        "tracestate",
        "baggage",
        "sentry-trace",
    ]
    trusted_proxies: Annotated[list[IPv4Network | IPv6Network], NoDecode] = []
    data_dir: Path = Path("var")
    access_log: bool = False
    max_body_bytes: Annotated[int, Field(ge=1024, le=1024**3)] = 1024 * 1024
    worker_in_server: bool = True

    # General limits
    rate_limit_enabled: bool = True
    rate_limit: RateLimit = "1200/minute"
    rate_limit_mails: RateLimit = "300/hour"
    rate_limit_usernames: RateLimit = "120/minute"
    redis_url: SecretStr | None = None

    # Database
    database_url: SecretStr | None = None
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    read_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    database_wait_seconds: Wait = 5.0
    statement_timeout_seconds: Wait = 15.0

    # Secrets: made once under DATA_DIR when local, required elsewhere
    secret_key: SecretStr = SecretStr("")
    jwt_private_key: SecretStr = SecretStr("")

    # Mail
    smtp_url: SecretStr | None = None
    mail_from: str = "Plaza <no-reply@localhost>"
    smtputf8: bool = True

    # Accounts
    require_confirmed_email: bool = True
    reserved_usernames: Annotated[list[str], NoDecode] = []
    token_audience: str = ""
    access_token_lifetime: Duration = timedelta(minutes=10)
    session_idle_lifetime: Duration = timedelta(days=14)
    session_absolute_lifetime: Duration = timedelta(days=60)
    refresh_grace: Annotated[
        timedelta,
        BeforeValidator(_seconds),
        Field(ge=timedelta(0), le=timedelta(minutes=1)),
    ] = timedelta(seconds=10)
    email_link_lifetime: Duration = timedelta(hours=24)
    password_reset_lifetime: Duration = timedelta(hours=1)
    email_links_per_hour: Count = 5
    personal_token_lifetime: Duration = timedelta(days=366)
    mfa_challenge_lifetime: Duration = timedelta(minutes=5)
    # In an otpauth URL, a colon divides it from the account.
    mfa_issuer: Annotated[str, Field(pattern="^[^:]+$", max_length=64)] = "Plaza"

    # Passwords
    password_min_length: Annotated[int, Field(ge=8, le=64)] = 8
    breached_passwords_url: str | None = None
    bcrypt_rounds: Annotated[int, Field(ge=4, le=20)] = 12
    password_threads: Annotated[int, Field(ge=1, le=64)] | None = None
    password_wait_seconds: Wait = 5.0

    # Wrong passwords and codes in a row before each further one has to wait
    failures_per_account: Count = 15
    failures_per_address: Count = 50
    failures_per_pair: Count = 5
    longest_backoff: Duration = timedelta(minutes=15)

    @field_validator("*", mode="before")
    @classmethod
    def _utf8(cls, value: object) -> object:
        """What is no UTF-8 in the environment comes as halves of characters."""
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise ValueError("is not UTF-8") from None
        return value

    @field_validator(
        "cors_origins",
        "cors_allowed_headers",
        "trusted_proxies",
        "reserved_usernames",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return [item.strip().removesuffix("/") for item in value.split(",") if item.strip()]
        return value

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, value: list[str]) -> list[str]:
        try:
            origins = [split_origin(text) for text in value]
        except ValueError as error:
            message = f"takes exact origins such as https://app.example.com; one of these {error}"
            raise ValueError(message) from None
        if any(path for _, path in origins):
            raise ValueError("takes exact origins such as https://app.example.com, without a path")
        return [origin for origin, _ in origins]

    @field_validator("public_url", "frontend_url")
    @classmethod
    def _canonical_url(cls, value: str | None) -> str | None:
        if not value:
            return value
        origin, path = split_origin(value)
        if not origin.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return origin + path

    @field_validator("reserved_usernames")
    @classmethod
    def _usernames(cls, value: list[str]) -> list[str]:
        if not all(_USERNAME.fullmatch(name) for name in value):
            raise ValueError("takes names of letters a-z, digits, - and _, separated by commas")
        return value

    @field_validator("database_url", "smtp_url", "redis_url")
    @classmethod
    def _readable(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value and info.field_name:
            _CHECKS[info.field_name](value.get_secret_value())
        return value

    @field_validator("breached_passwords_url")
    @classmethod
    def _https_only(cls, value: str | None) -> str | None:
        if value:
            check_web_url(value, "https", "http")
            url = urlsplit(value)
            if url.scheme == "http" and url.hostname != "127.0.0.1":
                raise ValueError("must begin with https://")
        return value.rstrip("/") if value else None

    @field_validator("mail_from")
    @classmethod
    def _address(cls, value: str) -> str:
        parse_mailbox(value)
        return value

    @field_validator("jwt_private_key")
    @classmethod
    def _es256_key(cls, value: SecretStr) -> SecretStr:
        if pem := value.get_secret_value():
            try:
                key = serialization.load_pem_private_key(pem.encode(), password=None)
            except (ValueError, TypeError):
                key = None
            if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
                raise ValueError("must be an elliptic-curve private key on P-256, in PEM")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.environment == "production":
            self._refuse_incomplete_production()
        self.public_url = self.public_url or local_url(self.host, self.port)
        self.token_audience = self.token_audience or self.public_url
        if not self.secret_key.get_secret_value():
            self.secret_key = self._local_secret("secret_key", lambda: secrets.token_urlsafe(48))
        if not self.jwt_private_key.get_secret_value():
            self.jwt_private_key = self._local_secret("jwt_private_key.pem", new_private_key)
        return self

    @property
    def public_path(self) -> str:
        """The path of PUBLIC_URL, which a proxy in front strips; empty without one."""
        return split_origin(self.public_url)[1]

    def _refuse_incomplete_production(self) -> None:
        required = {
            "DATABASE_URL": self.database_url,
            "PUBLIC_URL": self.public_url,
            "SECRET_KEY": self.secret_key.get_secret_value(),
            "JWT_PRIVATE_KEY": self.jwt_private_key.get_secret_value(),
            "SMTP_URL": self.smtp_url,
        }
        problems = [f"set {name}" for name, value in required.items() if not value]
        secret = self.secret_key.get_secret_value()
        if secret and len(secret.strip()) < MINIMUM_SECRET_LENGTH:
            problems.append(f"SECRET_KEY needs {MINIMUM_SECRET_LENGTH} characters or more")
        for name, url in {"PUBLIC_URL": self.public_url, "FRONTEND_URL": self.frontend_url}.items():
            if url and not url.startswith("https://"):
                problems.append(f"{name} must begin with https://")
        if self.bcrypt_rounds < MINIMUM_PRODUCTION_BCRYPT_ROUNDS:
            problems.append(f"BCRYPT_ROUNDS must be {MINIMUM_PRODUCTION_BCRYPT_ROUNDS} or more")
        if problems:
            message = "ENVIRONMENT=production cannot start: " + "; ".join(problems)
            raise ValueError(message)

    def _local_secret(self, name: str, make: Callable[[], str]) -> SecretStr:
        """The secret kept in `DATA_DIR/secrets/name`, made at the first start."""
        path = self.data_dir / "secrets" / name
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with NamedTemporaryFile("w", dir=path.parent) as file:  # created with mode 0600
                file.write(make())
                file.flush()
                with suppress(FileExistsError):  # another process was first: its secret counts
                    path.hardlink_to(file.name)
        return SecretStr(path.read_text())


def new_private_key() -> str:
    """A new ES256 key (P-256) in PEM."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )
