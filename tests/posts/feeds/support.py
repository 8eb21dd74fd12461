"""Reads feeds as their readers do."""

from typing import Any
from xml.etree import ElementTree as ET

import httpx

ATOM, JSON = "/api/v1/posts/feed.atom", "/api/v1/posts/feed.json"
NAMES = {
    "": "http://www.w3.org/2005/Atom",
    "map": "http://www.sitemaps.org/schemas/sitemap/0.9",
}


def xml(document: bytes) -> ET.Element:
    """The root of an XML document of ours."""
    return ET.fromstring(document)  # noqa: S314


async def parsed(client: httpx.AsyncClient, url: str, **params: str) -> ET.Element:
    """The root of an XML document."""
    answer = await client.get(url, params=params or None)
    assert answer.status_code == 200, answer.text
    return xml(answer.content)


async def json_feed(client: httpx.AsyncClient, url: str = JSON, **params: str) -> dict[str, Any]:
    """A JSON Feed."""
    answer = await client.get(url, params=params or None)
    assert answer.status_code == 200, answer.text
    feed: dict[str, Any] = answer.json()
    return feed


def texts(root: ET.Element, path: str) -> list[str]:
    """What the elements of a path say."""
    return [element.text or "" for element in root.findall(path, NAMES)]


def link(root: ET.Element, rel: str) -> str | None:
    """The address that a feed or an entry names."""
    found = root.find(f"link[@rel='{rel}']", NAMES)
    return None if found is None else found.attrib["href"]
