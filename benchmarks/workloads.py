"""The workloads: what is asked, and how fast the answers should come."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from jose import jwt

from benchmarks import data
from benchmarks.environment import PUBLIC_URL, settings_with_keys
from benchmarks.load import NUMBER
from benchmarks.servers import IDIOMATIC
from src.auth.tokens.jwt import Claims, Key, sign

CALLERS = 1000
POSTS_READ = 2000
POSTS_WRITTEN = 200
TOKEN_LIFETIME = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests of one kind.

    `requests` gives them for a server, by its name: the same ones, with a token that it takes.
    `of_floor` and `of_idiomatic` are the goals for Plaza's rate, as a multiple of theirs.
    """

    name: str
    title: str
    requests: Callable[[str], list[str]]
    of_floor: float
    of_idiomatic: float
    status: int = 200


def http_request(method: str, path: str, headers: dict[str, str], body: str = "") -> str:
    """The text of an HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join([*lines, "", body])


def _list_posts(_: str) -> list[str]:
    return [http_request("GET", "/api/v1/posts", {})]


def _read_posts(_: str) -> list[str]:
    numbers = random.Random("read").sample(range(data.POSTS), POSTS_READ)
    return [http_request("GET", f"/api/v1/posts/{data.post_id(number)}", {}) for number in numbers]


def _read_me(server: str) -> list[str]:
    return [http_request("GET", "/api/v1/users/me", caller) for caller in authorizations(server)]


def _create_posts(server: str) -> list[str]:
    source = random.Random("write")
    callers = authorizations(server)
    requests = []
    for number in range(POSTS_WRITTEN):
        post = {
            "title": f"{data.words(source, 40)} {NUMBER}",
            "body": "\n\n".join(data.words(source, 330) for _ in range(3)),
            "summary": data.words(source, 120),
            "tags": ["bread", "plaza"],
        }
        headers = callers[number] | {"Content-Type": "application/json"}
        requests.append(http_request("POST", "/api/v1/posts", headers, json.dumps(post)))
    return requests


def logins() -> list[str]:
    """Sign-ins of many users with their passwords."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return [
        http_request(
            "POST",
            "/api/v1/auth/token",
            headers,
            urlencode(
                {
                    "grant_type": "password",
                    "username": data.email(number),
                    "password": data.PASSWORD,
                }
            ),
        )
        for number in range(0, data.USERS, 10)
    ]


def authorizations(server: str) -> list[dict[str, str]]:
    """An Authorization header for each of the first sessions, with a token made now."""
    settings = settings_with_keys()
    now = datetime.now(UTC)
    issued_at, expires_at = int(now.timestamp()), int((now + TOKEN_LIFETIME).timestamp())
    key = Key.private(settings.jwt_private_key.get_secret_value())
    secret_key = settings.secret_key.get_secret_value()
    callers = []
    for number in range(CALLERS):
        user_id = data.user_id(data.session_user(number))
        if server == IDIOMATIC:
            token = jwt.encode({"sub": str(user_id), "exp": expires_at}, secret_key, "HS256")
        else:
            token = sign(
                Claims(
                    iss=PUBLIC_URL,
                    aud=PUBLIC_URL,
                    sub=user_id,
                    client_id="plaza",
                    iat=issued_at,
                    exp=expires_at,
                    jti=data.session_id(number),
                    sid=data.session_id(number),
                    scope=data.SCOPE,
                    auth_time=issued_at,
                ),
                key,
            )
        callers.append({"Authorization": f"Bearer {token}"})
    return callers


LIST = Workload("W1", "a list of 20 posts with their authors", _list_posts, 1.1, 12)
READ = Workload("W2", "one post with its author", _read_posts, 0.6, 13)
ME = Workload("W3", "the bearer's own account", _read_me, 0.5, 9)
CREATE = Workload("W4", "a post is created", _create_posts, 0.55, 6, status=201)
WORKLOADS = [LIST, READ, ME, CREATE]
