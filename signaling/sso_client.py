"""Talks to one directory: its description, its keys, and the ID token for a code.

OpenID Connect Discovery, and the token request of RFC 6749 with PKCE. Answers are small, come soon
or not at all, and lead nowhere else: no redirect is followed. What is kept is kept for an hour; a
key that is not known has the keys fetched anew, a few times a minute at most.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import aiohttp

from auth import id_tokens, sso_flow
from auth.errors import BadSignOn, SignOnAway
from auth.sso_flow import Flow
from auth.sso_rules import Issuer
from auth.tokens import Tokens
from signaling.settings import is_loopback

T = TypeVar("T")

TOTAL_SECONDS = 10.0
CONNECT_SECONDS = 5.0
KEPT_SECONDS = 3600.0
LARGEST = 512 * 1024  # bytes of an answer
ANEW, ANEW_SECONDS = 5, 60.0  # so often are keys fetched anew
MOST_KEYS = 100
DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Described:
    """What the directory says about itself, as far as we need it."""

    authorize: str
    token: str
    keys: str
    end_session: str | None
    userinfo: str | None
    by_post: bool  # it takes the secret in the form only
    names_itself: bool  # each of its answers says whose it is (RFC 9207)


class Kept(Generic[T]):
    """What was fetched, and for how long it holds. Whoever asks while it is being fetched waits for
    that: a directory that does not answer costs everybody one wait, and not one after the other.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        self._fetch = fetch
        self._at = 0.0
        self._found: T | None = None
        self._flight: asyncio.Task[T] | None = None

    async def get(self, *, anew: bool = False) -> T:
        """Cancelling is safe: the others still get theirs."""
        fresh = time.monotonic() - self._at < KEPT_SECONDS
        if self._found is not None and fresh and not anew:
            return self._found
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly(), name="sso")
        return await asyncio.shield(self._flight)

    @property
    def empty(self) -> bool:
        return self._found is None

    async def end(self) -> None:
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    async def _fly(self) -> T:
        try:
            self._found = found = await self._fetch()
            self._at = time.monotonic()
            return found
        finally:
            self._flight = None


class SsoClient:
    """One directory. All of it raises SignOnAway or BadSignOn."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self._http: aiohttp.ClientSession | None = None
        self._described = Kept(self._describe)
        self._keys = Kept(self._list_keys)
        self._anew: deque[float] = deque(maxlen=ANEW)

    async def close(self) -> None:
        await self._described.end()
        await self._keys.end()
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def described(self, *, anew: bool = False) -> Described:
        """Its description; `anew`: whether it is there at this moment."""
        return await self._described.get(anew=anew)

    async def keys(self, *, anew: bool = False) -> list[dict[str, Any]]:
        """Its public keys; `anew`: after one that was not among them, unless that was often."""
        now = time.monotonic()
        rests = len(self._anew) == ANEW and now - self._anew[0] < ANEW_SECONDS
        anew = anew and (self._keys.empty or not rests)
        if anew:
            self._anew.append(now)
        return await self._keys.get(anew=anew)

    async def address(
        self, tokens: Tokens, flow: Flow, redirect_uri: str, max_age: int, *, anew: bool
    ) -> str:
        """Where the browser is sent to sign in; `anew`: even if it is signed in there already."""
        found = await self.described(anew=True)
        query = {
            "response_type": "code",
            "response_mode": "query",
            "client_id": self.issuer.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.issuer.scopes),
            "state": flow.sent_state,
            "nonce": sso_flow.nonce(tokens, flow),
            "code_challenge": sso_flow.challenge_of(sso_flow.verifier(tokens, flow)),
            "code_challenge_method": "S256",
            "max_age": "0" if anew else str(max_age),
        }
        if anew:
            query["prompt"] = "login"
        if self.issuer.acr:
            query["acr_values"] = " ".join(sorted(self.issuer.acr))
        return _with_query(found.authorize, query)

    async def claims(
        self, tokens: Tokens, flow: Flow, code: str, redirect_uri: str, now: float
    ) -> id_tokens.Claims:
        """The checked claims that a code stands for; with groups, wherever they are told."""
        token, access = await self._redeem(code, sso_flow.verifier(tokens, flow), redirect_uri)
        claims = await self._checked(token, tokens, flow, now)
        return claims if access is None else await self.with_groups(claims, access)

    async def with_groups(self, claims: id_tokens.Claims, access: str) -> id_tokens.Claims:
        """The claims, with the groups of the userinfo end point where the ID token names none.

        What that says counts for the same person only (OpenID Connect Core, 5.3.2). Groups that
        were left out because there are too many are not asked for: that is said to the person.
        """
        top = self.issuer.groups_claim.partition(".")[0]
        found = await self.described()
        known = {self.issuer.groups_claim, top, "_claim_names", "hasgroups"} & claims.keys()
        if found.userinfo is None or known:
            return claims
        said = await self._ask("GET", found.userinfo, headers={"Authorization": f"Bearer {access}"})
        if said.get("sub") != claims["sub"]:
            raise BadSignOn
        wanted = (self.issuer.groups_claim, top, "_claim_names", "hasgroups")
        return {**claims, **{name: said[name] for name in wanted if name in said}}

    async def _checked(
        self, token: str, tokens: Tokens, flow: Flow, now: float
    ) -> id_tokens.Claims:
        wanted = id_tokens.Wanted(
            self.issuer.url, self.issuer.client_id, sso_flow.nonce(tokens, flow)
        )
        try:
            return id_tokens.check(token, await self.keys(), wanted, now)
        except id_tokens.UnknownKey:
            pass
        try:
            return id_tokens.check(token, await self.keys(anew=True), wanted, now)
        except id_tokens.UnknownKey as error:
            raise BadSignOn from error

    async def way_out(self, back: str) -> str | None:
        """Where somebody signs out there as well; None where it offers none."""
        found = await self.described()
        if found.end_session is None:
            return None
        return _with_query(
            found.end_session,
            {"client_id": self.issuer.client_id, "post_logout_redirect_uri": back},
        )

    # --- inside -----------------------------------------------------------------------------------

    async def _describe(self) -> Described:
        return described(
            self.issuer, await self._ask("GET", self.issuer.url.rstrip("/") + DISCOVERY)
        )

    async def _list_keys(self) -> list[dict[str, Any]]:
        listed = (await self._ask("GET", (await self.described()).keys)).get("keys")
        if not isinstance(listed, list) or len(listed) > MOST_KEYS:
            raise BadSignOn
        return [one for one in listed if isinstance(one, dict)]

    async def _redeem(self, code: str, verifier: str, redirect_uri: str) -> tuple[str, str | None]:
        """The ID token, and what opens the userinfo end point for this once."""
        found = await self.described()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        secret, headers = self.issuer.client_secret, {}
        if secret is None or found.by_post:
            form["client_id"] = self.issuer.client_id
            if secret is not None:
                form["client_secret"] = secret
        else:  # RFC 6749, 2.3.1: each half is encoded as a form would be
            known = aiohttp.encode_basic_auth(quote(self.issuer.client_id, ""), quote(secret, ""))
            headers["Authorization"] = known
        answer = await self._ask("POST", found.token, data=form, headers=headers)
        token, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise BadSignOn
        printable = isinstance(access, str) and access.isascii() and access.isprintable()
        return token, access if printable else None

    async def _ask(
        self,
        method: str,
        url: str,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """A JSON object of at most LARGEST bytes."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json"},
            )
        try:
            async with self._http.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                if response.status >= 500 or response.status == 429:
                    raise SignOnAway
                if response.status != 200:
                    raise BadSignOn
                body = b""
                async for part in response.content.iter_chunked(65_536):
                    body += part
                    if len(body) > LARGEST:
                        raise BadSignOn
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SignOnAway from error
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise BadSignOn from error
        if not isinstance(answer, dict):
            raise BadSignOn
        return answer


def described(issuer: Issuer, said: Mapping[str, Any]) -> Described:
    """What a description says, checked. Raises BadSignOn."""
    if said.get("issuer") != issuer.url:
        raise BadSignOn("It calls itself by another name than the settings' issuer.")
    methods = said.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        raise BadSignOn("It does not know PKCE with S256.")
    ways = said.get("token_endpoint_auth_methods_supported")
    ways = ways if isinstance(ways, list) else ["client_secret_basic"]
    end, info = said.get("end_session_endpoint"), said.get("userinfo_endpoint")
    return Described(
        authorize=_address(issuer, said.get("authorization_endpoint")),
        token=_address(issuer, said.get("token_endpoint")),
        keys=_address(issuer, said.get("jwks_uri")),
        end_session=_address(issuer, end) if end is not None else None,
        userinfo=_address(issuer, info) if info is not None else None,
        by_post="client_secret_basic" not in ways and "client_secret_post" in ways,
        names_itself=said.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(issuer: Issuer, given: object) -> str:
    """An address that may be asked: https, or of this machine where the issuer itself is."""
    if not isinstance(given, str) or len(given) > 2_000 or not given.isascii():
        raise BadSignOn
    try:
        parts = urlsplit(given)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise BadSignOn from None
    here = issuer.url.startswith("http:") and parts.scheme == "http" and is_loopback(host)
    if not host or parts.username is not None or parts.fragment or not given.isprintable():
        raise BadSignOn
    if parts.scheme != "https" and not here:
        raise BadSignOn("One of its addresses is not https.")
    return given


def _with_query(address: str, query: Mapping[str, str]) -> str:
    parts = urlsplit(address)
    joined = "&".join(one for one in (parts.query, urlencode(query)) if one)
    return urlunsplit(parts._replace(query=joined))
