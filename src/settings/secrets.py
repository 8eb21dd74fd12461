"""The secrets: made once under DATA_DIR when local, required elsewhere."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr, field_validator

from src.settings.values import SettingsGroup


class SecretSettings(SettingsGroup):
    """The secrets."""

    secret_key: SecretStr = SecretStr("")
    jwt_private_key: SecretStr = SecretStr("")

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

    def make_missing_secrets(self, folder: Path) -> None:
        """Take those that are not set from files of the folder, made at the first start."""
        if not self.secret_key.get_secret_value():
            self.secret_key = _kept(folder / "secret_key", lambda: secrets.token_urlsafe(48))
        if not self.jwt_private_key.get_secret_value():
            self.jwt_private_key = _kept(folder / "jwt_private_key.pem", new_private_key)


def _kept(path: Path, make: Callable[[], str]) -> SecretStr:
    """The secret in the file, made at the first start."""
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
