"""OAuth beside the token endpoint: revocation, introspection, and what clients find out."""

from fastapi import APIRouter, Request, Response, Security
from fastapi.openapi.models import HTTPBase

from src.access.permissions import SCOPES
from src.access.principals import TOKEN_URL
from src.auth.clients.forms import IntrospectionForm, RevocationForm, in_document
from src.auth.clients.service import authenticate_client, require_scope
from src.auth.clients.token_request import (
    MFA_GRANT,
    PUBLIC_CLIENT_ID,
    read_token_request,
)
from src.auth.dependencies import AuthDep, AuthToolsDep
from src.auth.oauth.introspection import IntrospectionService
from src.auth.oauth.schemas import AuthorizationServer, Introspection, JsonWebKeySet
from src.auth.tokens.signing_keys import JWKS_MAX_AGE
from src.dependencies import ClockDep, ReadsDep, SettingsDep
from src.exceptions import NotFoundError
from src.http.responses import NOT_KEPT, DocumentResponse
from src.openapi.security import OPTIONAL, Scheme

router = APIRouter(prefix="/auth", tags=["auth"])
well_known_router = APIRouter(prefix="/.well-known", tags=["auth"])

KEPT_A_WHILE = {"Cache-Control": f"public, max-age={int(JWKS_MAX_AGE.total_seconds())}"}
# Optional, since a client may have them in the form instead.
CLIENT_CREDENTIALS = Security(Scheme("ClientCredentials", HTTPBase(scheme="basic")))
AUTH_URL = TOKEN_URL.removesuffix("/token")
WITH_SECRET = ["client_secret_basic", "client_secret_post"]


@router.post("/revoke", response_class=Response, openapi_extra=in_document(RevocationForm))
async def revoke_token(request: Request, reads: ReadsDep, auth: AuthDep) -> Response:
    """End the session of a token of yours (RFC 7009). A token that is not valid is ignored."""
    form = await read_token_request(request)
    client = await authenticate_client(reads, form)
    await auth.revocations.revoke(form.required("token"), client)
    return Response(headers=NOT_KEPT)


@router.post(
    "/introspect",
    response_model=Introspection,
    dependencies=[CLIENT_CREDENTIALS],
    openapi_extra=in_document(IntrospectionForm) | OPTIONAL,
)
async def introspect_token(
    request: Request, reads: ReadsDep, tools: AuthToolsDep
) -> DocumentResponse:
    """Ask what a token is worth now (RFC 7662). For clients with the scope `tokens:introspect`."""
    form = await read_token_request(request)
    require_scope(await authenticate_client(reads, form), "tokens:introspect", form)
    token = await IntrospectionService(tools).introspect(form.required("token"))
    return DocumentResponse(token, headers=NOT_KEPT)


@well_known_router.get("/jwks.json", response_model=JsonWebKeySet)
async def get_json_web_keys(tools: AuthToolsDep, clock: ClockDep) -> DocumentResponse:
    """Get the public keys of access tokens (RFC 7517). For those who verify them themselves."""
    keys = await tools.access_tokens.keys.current(clock.now())
    document = {"keys": [key.public_jwk for key in keys.by_kid.values()]}
    return DocumentResponse(document, headers=KEPT_A_WHILE)


@well_known_router.get("/oauth-authorization-server", response_model=AuthorizationServer)
async def get_server_metadata(settings: SettingsDep) -> DocumentResponse:
    """Find out where this server's endpoints are, and what they support (RFC 8414)."""
    base = settings.public_url
    metadata = AuthorizationServer(
        issuer=base,
        token_endpoint=f"{base}{TOKEN_URL}",
        revocation_endpoint=f"{base}{AUTH_URL}/revoke",
        introspection_endpoint=f"{base}{AUTH_URL}/introspect",
        jwks_uri=f"{base}/.well-known/jwks.json",
        service_documentation=f"{base}/docs",
        scopes_supported=list(SCOPES),
        response_types_supported=[],  # there is no authorization endpoint
        grant_types_supported=["password", "refresh_token", MFA_GRANT],
        token_endpoint_auth_methods_supported=["none", *WITH_SECRET],
        revocation_endpoint_auth_methods_supported=["none", *WITH_SECRET],
        introspection_endpoint_auth_methods_supported=WITH_SECRET,
        public_client_id=PUBLIC_CLIENT_ID,
    )
    return DocumentResponse(metadata.model_dump(), headers=KEPT_A_WHILE)


@well_known_router.get("/oauth-authorization-server{path:path}", include_in_schema=False)
async def read_metadata_of_path(path: str, settings: SettingsDep) -> DocumentResponse:
    """The same where clients look for an issuer with a path (RFC 8414, section 3.1)."""
    if path != settings.public_path:
        raise NotFoundError
    return await get_server_metadata(settings)
