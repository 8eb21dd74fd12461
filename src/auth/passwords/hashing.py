"""Hashing passwords without stopping the rest."""

import asyncio
import hmac
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from functools import partial
from typing import TypeVar

from passlib.context import CryptContext
from passlib.utils.binary import bcrypt64

from src.auth.passwords.rules import normalize_password
from src.config import Settings
from src.threads import BoundedThreads, usable_cores

Result = TypeVar("Result")

SALT_PURPOSE = b"registration-salt"
SALT_BYTES = 16
_to_base64: Callable[[bytes], bytes] = bcrypt64.encode_bytes


def _yield_the_processor() -> None:
    """Lowest priority for the hashing threads: requests go first, and PostgreSQL on the same cores.

    Only on Linux has a thread a priority of its own (sched(7)).
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        with suppress(OSError):  # not everywhere to be had, and better: it makes way at once
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class PasswordHasher:
    """bcrypt over SHA-256, so that every byte of a password counts; plain bcrypt verifies too."""

    def __init__(self, settings: Settings) -> None:
        self._context = CryptContext(
            ["bcrypt_sha256", "bcrypt"],
            deprecated="auto",
            bcrypt_sha256__rounds=settings.bcrypt_rounds,
            bcrypt__rounds=settings.bcrypt_rounds,
        )
        self._rounds = settings.bcrypt_rounds
        secret_key = settings.secret_key.get_secret_value()
        self._salt_key = hmac.digest(secret_key.encode(), SALT_PURPOSE, "sha256")
        self._context.handler().set_backend()  # which takes a while, at the first hash if not now
        started_at = time.thread_time()
        self._hash_of_nobody = self._context.hash(secrets.token_hex())
        self._threads = BoundedThreads(
            "password",
            settings.password_threads or usable_cores(),
            settings.password_wait_seconds,
            time.thread_time() - started_at,
            _yield_the_processor,
        )
        self._owner = ""  # the process itself
        self._gone: asyncio.Event | None = None

    def on_behalf_of(self, owner: str, gone: asyncio.Event) -> "PasswordHasher":
        """The same hasher, whose work waits for a turn of this owner's, or until that is gone."""
        hasher = copy(self)
        hasher._owner, hasher._gone = owner, gone  # noqa: SLF001 - its own class
        return hasher

    async def hash(self, password: str) -> str:
        """The hash to store.

        Raises:
            OverloadedError: the queue is full, or the turn did not come in time.
        """
        return await self._run(partial(self._context.hash, normalize_password(password)))

    async def hash_for(self, email: str, password: str) -> str:
        """The hash to store, the same text whenever this address comes with this password.

        So one hash finds a password among all registrations of an address. The salt is the
        address's own, and nobody knows it who lacks SECRET_KEY.

        Raises:
            OverloadedError: the queue is full, or the turn did not come in time.
        """
        salt = hmac.digest(self._salt_key, email.encode(), "sha256")[:SALT_BYTES]
        scheme = self._context.handler().using(salt=_to_base64(salt).decode())
        return await self._run(partial(scheme.hash, normalize_password(password)))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether the password is right, and a new hash when the stored one should be replaced.

        Without a stored hash the answer is no, and takes as long.

        Raises:
            OverloadedError: the queue is full, or the turn did not come in time.
        """
        known = stored or self._hash_of_nobody
        right, replacement = await self._run(
            partial(self._verify, normalize_password(password), known)
        )
        return right and stored is not None, replacement

    def close(self) -> None:
        """Drop what is queued and let the threads end."""
        self._threads.close()

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await self._threads.run(work, self._owner, gone=self._gone)

    def _verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        try:
            right, replacement = self._context.verify_and_update(password, stored)
        except (
            ValueError
        ):  # a malformed hash, or what plain bcrypt cannot take (over 72 bytes, NUL)
            self._context.verify(password, self._hash_of_nobody)  # takes as long all the same
            return False, None
        if not right:
            self._spend_the_rest(password, stored)
        return right, replacement

    def _spend_the_rest(self, password: str, stored: str) -> None:
        """Take as long as today's cost after a hash of a lower one, which would stand out.

        What a hash of cost n took, and one of each cost from n up to today's, is today's in sum.
        """
        scheme = self._context.handler(self._context.identify(stored))
        for lower in range(scheme.from_string(stored).rounds, self._rounds):
            self._context.handler().using(rounds=lower).hash(password)
