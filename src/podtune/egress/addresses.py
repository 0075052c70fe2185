"""Which addresses may be reached: pure rules over URLs, host names and IP addresses.

Takes what a user wrote and the operator's policy, gives a `Target` or refuses with the code
`url_blocked`. Knows nothing of sockets: names are resolved elsewhere, and every answer comes back
here (`check_answers`) before anything connects. Messages never hold a query: a signed address is a
secret. They do not hold what a name resolves to either: that is the operator's network.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

import idna

from podtune.core.errors import SpecError
from podtune.core.redact import scrub
from podtune.egress.networks import IPAddress, IPNetwork, denied, never, unwrap

PORTS: Final = (80, 443, 8443)
"""Ports open to everybody; any other only as the operator lists it."""
MAX_URL_CHARACTERS: Final = 16_384
"""A presigned address with a session token has about 2,000."""

_STANDARD_PORTS: Final = {"https": 443, "http": 80}
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Listed(NamedTuple):
    """An entry of the operator's list: a host name or a network, with a port or for all of `PORTS`."""

    name: str | None
    network: IPNetwork | None
    port: int | None

    def opens_port(self, host: str, port: int) -> bool:
        """Whether the entry may open an unusual port for a host (networks: seen once resolved)."""
        return self.port == port and (self.network is not None or self.name == host)

    def covers(self, host: str, port: int, address: IPAddress) -> bool:
        """Whether the entry is about this very connection."""
        if self.port is not None and self.port != port:
            return False
        if self.network is None:
            return self.name == host
        return address in self.network or unwrap(address) in self.network


@dataclass(frozen=True)
class Policy:
    """What the operator permits beyond (or short of) the public internet over https."""

    http: bool = False
    """Whether http is permitted; https never leads to it."""
    private: tuple[Listed, ...] = ()
    """Hosts and networks that may be reached although private, and ports beyond `PORTS`."""
    allow: tuple[str, ...] = ()
    """When not empty, the only hosts that may be reached: `host`, or `*.domain` for all below it."""

    @classmethod
    def of(cls, *, http: bool, private_hosts: str, allow_hosts: str) -> "Policy":
        """The policy that three settings state; lists are separated by commas.

        Raises:
            SpecError: an entry that is no host, network or port.

        >>> Policy.of(http=False, private_hosts="10.1.0.0/16, minio:9000", allow_hosts="").private[1]
        Listed(name='minio', network=None, port=9000)
        """
        return cls(
            http=http,
            private=tuple(_listed(entry) for entry in _entries(private_hosts)),
            allow=tuple(_allowed(entry) for entry in _entries(allow_hosts)),
        )

    def with_own(self, url: str) -> "Policy":
        """The policy for a service of the operator's own: its host, port and scheme are permitted.

        Raises:
            SpecError: not an http or https address.
        """
        target = _split(url, replace(self, http=True, allow=()), any_port=True)
        network = None if target.literal is None else ipaddress.ip_network(target.literal)
        own = Listed(target.host if network is None else None, network, target.port)
        return replace(
            self,
            http=self.http or target.scheme == "http",
            private=(*self.private, own),
            allow=(*self.allow, target.host) if self.allow else (),
        )


class Target(NamedTuple):
    """A checked address: what to say to the server, and whom to ask for by name."""

    scheme: str
    host: str
    """ASCII, lower case, without a final dot; an IPv6 address without brackets."""
    port: int
    path: str
    query: str
    """A secret, where the address is signed."""
    literal: IPAddress | None
    """The host itself, where it is an IP address and not a name."""

    @property
    def shown(self) -> str:
        """Scheme, host and path: what errors and logs may hold."""
        path = self.path if len(self.path) <= 120 else f"{self.path[:117]}..."
        return scrub(f"{self.scheme}://{self.authority}{path}")

    @property
    def authority(self) -> str:
        """The Host header: the host, with its port where that is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _STANDARD_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def request(self) -> str:
        """What stands in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


def parse(url: str, policy: Policy) -> Target:
    """Check an address as far as that can be done without asking a name server.

    Raises:
        SpecError: code `url_blocked`, or `bad_url` where it is none.
    """
    target = _split(url, policy, any_port=False)
    if policy.allow and not any(_matches(target.host, entry) for entry in policy.allow):
        raise blocked(
            f"{target.host!r} is not among the hosts this installation may reach",
            "ask the operator to add it to egress_allow_hosts",
        )
    if target.literal is not None:
        check_answers(target, [str(target.literal)], policy)
    return target


def check_answers(target: Target, answers: Sequence[str], policy: Policy) -> tuple[IPAddress, ...]:
    """Check all addresses that a name resolves to; one that may not be reached refuses them all.

    Args:
        target: As parsed under the same policy.
        answers: IP addresses as text.
        policy: The operator's.

    Raises:
        SpecError: code `url_blocked`.
    """
    found: list[IPAddress] = []
    for answer in answers:
        address = ipaddress.ip_address(answer)
        listed = any(e.covers(target.host, target.port, address) for e in policy.private)
        kind = denied(address)
        if kind and (not listed or never(address)):
            raise blocked(
                f"{target.shown} leads to an address that is not public ({kind})",
                "use a public address; an operator may list own hosts in egress_private_hosts",
            )
        if target.port not in PORTS and not listed:
            raise _bad_port(target.port)
        found.append(address)
    return tuple(dict.fromkeys(found))


def normalise_host(host: str) -> tuple[str, IPAddress | None]:
    """A host as the DNS spells it, and its address where it is one.

    Numbers in other forms than four decimal parts are refused: what they mean differs by program.

    Raises:
        SpecError: code `url_blocked`.

    >>> normalise_host("Bücher.Example.")
    ('xn--bcher-kva.example', None)
    """
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError as error:
            raise blocked(f"{host!r} is not an IPv6 address", "check the address") from error
        if address.scope_id is not None:
            raise blocked("an address with a zone is not public", "use a public address")
        return str(address), address
    name = _ascii(host).removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise blocked(f"{host[:80]!r} is not a host name", "check the address")
    if not _NUMBER.fullmatch(labels[-1]):
        return name, None
    try:
        return name, ipaddress.IPv4Address(name)  # it refuses leading zeros too
    except ValueError as error:
        raise blocked(
            f"{host[:80]!r} is a number in an unusual form", "write the host's name"
        ) from error


def blocked(message: str, hint: str) -> SpecError:
    """The refusal of an address."""
    return SpecError(message, code="url_blocked", hint=hint)


def _split(url: str, policy: Policy, *, any_port: bool) -> Target:
    url = url.strip(" ")
    if len(url) > MAX_URL_CHARACTERS:
        raise blocked(f"an address of {len(url)} characters", f"at most {MAX_URL_CHARACTERS}")
    if "\\" in url or not url.isprintable():
        raise blocked("the address holds a backslash or is not printable", "check the address")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise blocked("the address cannot be understood", "check the address") from error
    scheme = parts.scheme.lower()
    if scheme not in _STANDARD_PORTS or (scheme == "http" and not policy.http):
        raise blocked(
            f"the scheme {scheme[:20]!r} is not permitted",
            "use an https address; an operator may permit http with egress_http",
        )
    if "@" in parts.netloc:
        raise blocked("the address holds a user or a password", "use a signed address instead")
    if not host:
        raise blocked("the address names no host", "check the address")
    name, literal = normalise_host(host)
    port = _STANDARD_PORTS[scheme] if port is None else port
    opened = any(entry.opens_port(name, port) for entry in policy.private)
    if port not in PORTS and not (opened or any_port):
        raise _bad_port(port)
    return Target(scheme, name, port, _encoded(parts.path) or "/", _encoded(parts.query), literal)


def _bad_port(port: int) -> SpecError:
    return blocked(
        f"port {port} is not permitted",
        f"use one of {', '.join(map(str, PORTS))}; an operator may list host:port in "
        "egress_private_hosts",
    )


def _ascii(host: str) -> str:
    """The host in ASCII (IDNA 2008 after the mapping of UTS 46, as browsers do)."""
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except idna.IDNAError as error:
        raise blocked(f"{host[:80]!r} is not a host name", "check the address") from error


def _encoded(part: str) -> str:
    """Spaces and what is not ASCII in percent form; all else stays: it may be signed."""
    return "".join(c if c.isascii() and c != " " else quote(c) for c in part)


def _matches(host: str, entry: str) -> bool:
    return host == entry or (entry.startswith("*.") and host.endswith(entry[1:]))


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _allowed(entry: str) -> str:
    star = "*." if entry.startswith("*.") else ""
    try:
        return star + normalise_host(entry.removeprefix(star).strip("[]"))[0]
    except SpecError as error:
        raise SpecError(
            f"egress_allow_hosts: {entry!r} is no host name",
            code="bad_setting",
            hint="for example data.example.org or *.example.org",
        ) from error


def _listed(entry: str) -> Listed:
    match = re.fullmatch(r"\[([^\]]+)\](?::([0-9]{1,5}))?|([^:]+)(?::([0-9]{1,5}))?", entry)
    host = entry if match is None else str(match[1] or match[3])
    digits = None if match is None else match[2] or match[4]
    port = None if digits is None else int(digits)
    try:
        return Listed(None, ipaddress.ip_network(host, strict=False), port)
    except ValueError:
        pass
    try:
        if port is not None and not 0 < port < 65536:
            raise blocked(f"{port} is not a port", "ports are 1-65535")
        return Listed(normalise_host(host)[0], None, port)
    except SpecError as error:
        raise SpecError(
            f"egress_private_hosts: {entry!r} is neither a host, a network nor host:port",
            code="bad_setting",
            hint="for example 10.1.0.0/16, files.internal or 127.0.0.1:9000",
        ) from error
