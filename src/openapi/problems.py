"""What an operation answers when it fails, as the OpenAPI document has it: by status and code."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field, create_model
from pydantic.alias_generators import to_pascal

from src.exceptions import (
    AppError,
    ContentTooLargeError,
    InternalError,
    InvalidInputError,
    MalformedRequestError,
    UnsupportedMediaTypeError,
)
from src.http.problems import OAUTH_ENDPOINTS
from src.limits.rate_limits import UNLIMITED, RateLimitedError
from src.openapi.raised import raised_by
from src.schemas import left_out

MOST_CODES = 3
COMPONENT = "#/components/schemas/{model}"
_CODE = re.compile("^- `([a-z_]+)`: ", re.MULTILINE)

Json: TypeAlias = dict[str, Any]
Kind: TypeAlias = type[AppError]


class Problem(BaseModel):
    """A problem document (RFC 9457). `code` is stable, `title` and `detail` are for people."""

    type: str
    title: str
    status: int
    detail: str = left_out()
    instance: str
    code: str
    request_id: str
    error: Annotated[
        str, Field(description="Where tokens are issued or asked about (RFC 6749, section 5.2)")
    ] = left_out()
    error_description: Annotated[str, Field(description="With some of them")] = left_out()


def kinds_of(
    path: str, calls: Iterable[Callable[..., Any]], operation: Json
) -> dict[int, list[Kind]]:
    """By status: what its calls raise, and what any such operation may answer."""
    kinds = {MalformedRequestError, InternalError}.union(*map(raised_by, calls))
    if "requestBody" in operation:
        kinds |= {ContentTooLargeError, UnsupportedMediaTypeError}
    if "422" in operation["responses"]:  # by FastAPI, which validates something
        kinds.add(InvalidInputError)
    if not path.startswith(UNLIMITED):
        kinds.add(RateLimitedError)
    if path.endswith(OAUTH_ENDPOINTS):  # these take neither a query nor JSON
        kinds = {kind for kind in kinds if not issubclass(kind, InvalidInputError)}
    by_status: defaultdict[int, dict[str, Kind]] = defaultdict(dict)
    for kind in sorted(kinds, key=_order):
        by_status[kind.status].setdefault(kind.code, kind)
    return {status: list(by_code.values()) for status, by_code in by_status.items()}


def answer(path: str, kinds: Iterable[Kind]) -> Json:
    """The response that has one of the codes."""
    schemas = [{"$ref": COMPONENT.format(model=_name(kind.code))} for kind in kinds]
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    of_oauth = path.endswith(OAUTH_ENDPOINTS)
    return {
        "description": "\n".join(f"- `{kind.code}`: {kind.title}" for kind in kinds),
        "content": {
            "application/json" if of_oauth else "application/problem+json": {"schema": schema}
        },
    }


def shared(answer: Json, answers: dict[str, Json]) -> Json:
    """One of the answers, if it is a problem of few codes."""
    codes = _CODE.findall(answer["description"])
    name = "Or".join(map(to_pascal, codes))
    if 0 < len(codes) <= MOST_CODES and answers.setdefault(name, answer) == answer:
        return {"$ref": f"#/components/responses/{name}"}
    return answer


def components(kinds: Iterable[Kind]) -> Mapping[str, Any]:
    """The schemas of problems with the codes."""
    schemas = {"Problem": Problem.model_json_schema()}
    for kind in sorted(kinds, key=_order, reverse=True):
        fields: dict[str, Any] = {"code": Literal[kind.code], **kind.members}
        own = create_model(_name(kind.code), **fields)
        schema = own.model_json_schema(ref_template=COMPONENT)
        schemas |= schema.pop("$defs", {})
        schemas[_name(kind.code)] = {
            "description": kind.title,
            "allOf": [{"$ref": COMPONENT.format(model="Problem")}, schema],
        }
    return schemas


def _order(kind: Kind) -> tuple[int, str, int, str]:
    """Of several kinds with one code, the others are of the first."""
    return kind.status, kind.code, len(kind.__mro__), kind.__name__


def _name(code: str) -> str:
    return to_pascal(code).removesuffix("Error") + "Problem"
