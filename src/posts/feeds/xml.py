"""XML 1.0 that is well-formed whatever the text."""

import re
from datetime import datetime
from xml.etree import ElementTree as ET

# Of these a post may hold the form feed alone: `&#12;` makes one in HTML, where it is white space.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """The text with a space for each character that XML does not have, not even escaped."""
    return _NOT_XML.sub(" ", text)


def add(parent: ET.Element, name: str, text: str = "", /, **attributes: str) -> ET.Element:
    """Add an element."""
    clean = {key: xml_text(value) for key, value in attributes.items()}
    element = ET.SubElement(parent, name, clean)
    element.text = xml_text(text)
    return element


def timestamp(at: datetime) -> str:
    """A point in time in UTC (RFC 3339)."""
    return at.isoformat().replace("+00:00", "Z")


def written(root: ET.Element) -> bytes:
    """The document."""
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document
