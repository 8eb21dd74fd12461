"""Usernames made for those who ask for none."""

import pytest
from pydantic import TypeAdapter

from src.users.schemas import Username
from src.users.service import suggest_username

STEMS = {
    None: "user",
    "": "user",
    "\u0410\u043d\u043d\u0430 \u041a.": "anna-k",
    "\U0001f40e": "user",
    "  Ann O\u0301 Neill! ": "ann-o-neill",
    "A" * 80: "a" * 20,
    "Ann of the nineteen-ninety": "ann-of-the-nineteen",
}


@pytest.mark.parametrize("name", STEMS)
def test_a_suggested_username_follows_the_rules_and_is_another_each_time(name: str | None) -> None:
    suggested = {suggest_username(name) for _ in range(20)}
    assert len(suggested) == 20
    for username in suggested:
        assert username.rpartition("-")[0] == STEMS[name]
        assert TypeAdapter(Username).validate_python(username) == username
