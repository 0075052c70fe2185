"""A browser's session: a key, sealed in a cookie that only this gateway can open.

The cookie holds the key itself, encrypted and signed with a secret of this installation: whoever reads the
cookie jar has no key, and a key that is revoked or expires ends its sessions at once, for it is checked at
every request. HttpOnly, SameSite=Strict; Secure where the gateway is reached by https.
"""

import base64
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from fastapi import Request
from pydantic import SecretStr
from starlette.responses import Response

from podtune.app.installation import SigningKey
from podtune.core.clock import Clock, utc_now

COOKIE: Final = "podtune_session"
LASTS_S: Final = 12 * 3600
"""A working day; then the key is asked for again."""
_PURPOSE: Final = "gateway session"


class Sessions:
    """Seals keys into cookies and opens them again."""

    def __init__(self, key: SigningKey, *, is_https: bool = False, clock: Clock = utc_now) -> None:
        """`key` is the installation's; `is_https` whether browsers come by https."""
        secret = bytes.fromhex(key.derive(_PURPOSE))
        self._fernet = Fernet(base64.urlsafe_b64encode(secret))
        self._is_https = is_https
        self._clock = clock

    def seal(self, token: str) -> str:
        """A key as it may lie in a cookie."""
        return self._fernet.encrypt_at_time(token.encode(), self._now()).decode("ascii")

    def opened(self, request: Request) -> SecretStr | None:
        """The key of a browser's session; None without one, or where it is too old or was made elsewhere."""
        sealed = request.cookies.get(COOKIE)
        if not sealed or not sealed.isascii():
            return None
        try:
            found = self._fernet.decrypt_at_time(sealed.encode("ascii"), LASTS_S, self._now())
        except InvalidToken:
            return None
        return SecretStr(found.decode())

    def begin(self, response: Response, token: str) -> None:
        """Give a browser a session; the key was checked."""
        response.set_cookie(
            COOKIE,
            self.seal(token),
            max_age=LASTS_S,
            path="/",
            httponly=True,
            samesite="strict",
            secure=self._is_https,
        )

    def end(self, response: Response) -> None:
        """Take a browser's session away."""
        response.delete_cookie(
            COOKIE, path="/", httponly=True, samesite="strict", secure=self._is_https
        )

    def _now(self) -> int:
        return int(self._clock().timestamp())


def open(request: Request, response: Response, token: str) -> None:
    """Begin a session in a route: `token` was checked by `Keys.check`."""
    request.app.state.parts.sessions.begin(response, token)


def close(request: Request, response: Response) -> None:
    """End a session in a route."""
    request.app.state.parts.sessions.end(response)
