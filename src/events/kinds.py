"""The kinds of events, each with what it says."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "post.published",
    "post.updated",
    "post.removed",
    "comment.created",
    "comment.updated",
    "comment.removed",
    "user.registered",
    "user.updated",
    "user.deleted",
]
KINDS: Mapping[Kind, str] = {
    "post.published": "A post can be read by everybody",
    "post.updated": "A published post has changed",
    "post.removed": "A published post cannot be read any more",
    "comment.created": "Somebody has commented on a post",
    "comment.updated": "A comment has changed",
    "comment.removed": "A comment cannot be read any more",
    "user.registered": "Somebody has confirmed their address, and has an account",
    "user.updated": "Somebody has changed their profile",
    "user.deleted": "Somebody has deleted their account",
}
