"""The languages of mails and pages."""

SUPPORTED = ("en", "ru")
MAX_HEADER_LENGTH = 500


def preferred_locale(accept_language: str) -> str:
    """The supported language that an Accept-Language header wants most (RFC 9110, 12.5.4)."""
    best, best_quality = SUPPORTED[0], 0.0
    for item in accept_language[:MAX_HEADER_LENGTH].split(","):
        tag, _, parameter = item.strip().lower().partition(";")
        language = tag.split("-")[0].strip()
        quality = _quality(parameter)
        if language in SUPPORTED and quality > best_quality:
            best, best_quality = language, quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
