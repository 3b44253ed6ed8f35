"""Who may look at a page that other machines reach: one-time codes become sessions.

A code pairs one browser, once, within its time; the session lives in a cookie and in this
process's memory, and ends with it. Codes have 50 bits, and so few attempts are let through that
none is guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from vla_console.operator_control import Role
from vla_console.server.rate_limits import TokenBucket

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without those that are taken for each other
LENGTH = 10
CODE_LIFETIME = 600.0  # s
ATTEMPTS = 5.0  # a minute, of everybody together
COOKIE = "vla_console"


class PairingError(Exception):
    """A code is not accepted; the message is one line."""


@dataclass(frozen=True)
class _Code:
    role: Role
    until: float


class Pairing:
    """Codes that wait and sessions that live. Times are monotonic, s."""

    def __init__(self) -> None:
        self._codes: dict[str, _Code] = {}
        self._sessions: dict[bytes, Role] = {}  # by their hash
        self._attempts = TokenBucket(ATTEMPTS / 60.0, ATTEMPTS)

    def new_code(self, role: Role, now: float) -> str:
        """A code for one browser, as a person types it."""
        self._codes = {code: each for code, each in self._codes.items() if each.until > now}
        code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        self._codes[code] = _Code(role, now + CODE_LIFETIME)
        return f"{code[:5]}-{code[5:]}"

    def pair(self, typed: str, now: float) -> tuple[str, Role]:
        """Turn a code into a session: its secret, for the cookie, and its role.

        Raises:
            PairingError: the code is unknown, used or too old, or there were too many attempts.
        """
        if not self._attempts.allow(now):
            raise PairingError("too many attempts; try again in a minute")
        wanted = typed.upper().replace("-", "").replace(" ", "")
        match = ""
        for code in self._codes:
            if hmac.compare_digest(code.encode(), wanted.encode("utf-8", "replace")):
                match = code
        entry = self._codes.pop(match, None)
        if entry is None or entry.until <= now:
            raise PairingError(
                "this code is unknown, used or too old; accepted: a code that the robot's console "
                "printed, or that another operator's page made, within ten minutes"
            )
        secret = secrets.token_urlsafe(32)
        self._sessions[_hash(secret)] = entry.role
        return secret, entry.role

    def role_of(self, secret: str) -> Role | None:
        """The role of a session; None where there is none."""
        return self._sessions.get(_hash(secret)) if secret else None


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
