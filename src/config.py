"""Settings: everything that can be set from outside, read once from the environment and `.env`."""

from difflib import get_close_matches
from pathlib import Path
from typing import Self

from pydantic import model_validator

from src.addresses.localhost import local_url
from src.settings.accounts import AccountSettings
from src.settings.brand import BrandSettings
from src.settings.database import DatabaseSettings
from src.settings.limits import LimitSettings
from src.settings.mail import MailSettings
from src.settings.passwords import PasswordSettings
from src.settings.secrets import SecretSettings
from src.settings.server import ServerSettings

PROJECT_ROOT = Path(__file__).resolve().parent.parent
LOGGING_CONFIG = PROJECT_ROOT / "logging.ini"
MINIMUM_PRODUCTION_BCRYPT_ROUNDS = 10
MINIMUM_SECRET_LENGTH = 32
SIMILAR = 0.85  # by difflib's ratio: two letters in another order, or one that is missing


class Settings(
    PasswordSettings,
    AccountSettings,
    BrandSettings,
    MailSettings,
    SecretSettings,
    DatabaseSettings,
    LimitSettings,
    ServerSettings,
):
    """Plaza's settings. Each one is described in `.env.dist`.

    Raises:
        pydantic.ValidationError: a value is wrong, or production lacks what it must be given.
    """

    @model_validator(mode="before")
    @classmethod
    def _refuse_misspelled(cls, given: dict[str, object]) -> dict[str, object]:
        """What `.env` has for other programs is passed over, but not what is nearly a setting."""
        for name in given.keys() - cls.model_fields.keys():
            if meant := get_close_matches(name, cls.model_fields, 1, SIMILAR):
                raise ValueError(f"{name.upper()} is no setting: {meant[0].upper()} is")
        return given

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.environment == "production":
            self._refuse_incomplete_production()
        self.public_url = self.public_url or local_url(self.host, self.port)
        self.token_audience = self.token_audience or self.public_url
        self.mfa_issuer = self.mfa_issuer or self.brand_name.replace(":", "")
        self.make_missing_secrets(self.data_dir / "secrets")
        return self

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
