"""Hashing passwords without stopping the rest."""

import os
import secrets
import sys
import threading
from functools import partial

from passlib.context import CryptContext

from src.auth.passwords import normalize_password
from src.config import Settings
from src.threads import BoundedThreads

SECONDS_PER_HASH = 0.3  # bcrypt at cost 12


def _yield_the_processor() -> None:
    """Lowest priority for the hashing threads: requests go first.

    Only on Linux has a thread a priority of its own (setpriority(2)).
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


class PasswordHasher:
    """bcrypt over SHA-256, so that every byte of a password counts; plain bcrypt verifies too."""

    def __init__(self, settings: Settings) -> None:
        self._context = CryptContext(
            ["bcrypt_sha256", "bcrypt"],
            deprecated="auto",
            bcrypt_sha256__rounds=settings.bcrypt_rounds,
            bcrypt__rounds=settings.bcrypt_rounds,
        )
        self._threads = BoundedThreads(
            "password",
            settings.password_threads,
            settings.password_threads + settings.password_queue,
            SECONDS_PER_HASH,
            _yield_the_processor,
        )
        self._hash_of_nobody = self._context.hash(secrets.token_hex())

    async def hash(self, password: str) -> str:
        """The hash to store.

        Raises:
            OverloadedError: the queue is full.
        """
        return await self._threads.run(partial(self._context.hash, normalize_password(password)))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether the password is right, and a new hash when the stored one should be replaced.

        Without a stored hash the answer is no, and takes as long.

        Raises:
            OverloadedError: the queue is full.
        """
        known = stored or self._hash_of_nobody
        right, replacement = await self._threads.run(
            partial(self._verify, normalize_password(password), known)
        )
        return right and stored is not None, replacement

    def close(self) -> None:
        """Drop what is queued and let the threads end."""
        self._threads.close()

    def _verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        try:
            return self._context.verify_and_update(password, stored)
        except (
            ValueError
        ):  # a malformed hash, or what plain bcrypt cannot take (over 72 bytes, NUL)
            return False, None
