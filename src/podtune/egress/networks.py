"""Which IP addresses are on the public internet: explicit tables, and what hides inside an address.

Pure. The tables refuse more than `ipaddress.is_global` (tunnels, whatever lies outside 2000::/3,
clouds' metadata services on public numbers) and do not change with the Python version.
"""

import ipaddress
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

_NEVER: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # link local: the metadata service of AWS, GCP, Azure and others
        "fe80::/10",
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "168.63.129.16/32",  # wire server of Azure; a public address by its number
        "fd00:ec2::254/128",  # metadata of AWS over IPv6
        "fd20:ce::254/128",  # metadata of GCP over IPv6
    )
)
"""Whoever reaches these gets the machine's own credentials: not even the operator's list opens them."""

_DENIED: Final[tuple[tuple[IPNetwork, str], ...]] = tuple(
    (ipaddress.ip_network(text), kind)
    for text, kind in (
        # IANA IPv4 Special-Purpose Address Registry, read 2026-11
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relays"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved or broadcast"),
        # IANA IPv6 Special-Purpose Address Registry; what lies outside 2000::/3 is refused anyway
        ("::1/128", "loopback"),
        ("::/96", "unspecified or IPv4-compatible"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b:1::/48", "local-use NAT64"),  # where the IPv4 address stands in it is not fixed
        ("100::/64", "discard-only"),
        ("2001::/23", "protocol assignments (Teredo, ORCHID)"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "private"),
        ("fec0::/10", "site local"),
        ("ff00::/8", "multicast"),
    )
)


def never(address: IPAddress) -> bool:
    """Whether not even the operator's list may open an address."""
    inner = unwrap(address)
    return any(inner in network for network in _NEVER)


def denied(address: IPAddress) -> str | None:
    """The kind of an address that is not on the public internet; None for one that is.

    >>> denied(ipaddress.ip_address("::ffff:10.0.0.1")), denied(ipaddress.ip_address("9.9.9.9"))
    ('private', None)
    """
    inner = unwrap(address)
    if never(address):
        return "link local or metadata"
    for network, kind in _DENIED:
        if inner in network:
            return kind
    if isinstance(inner, ipaddress.IPv6Address) and inner not in _GLOBAL_UNICAST:
        return "not global unicast"
    return None


def unwrap(address: IPAddress) -> IPAddress:
    """The IPv4 address inside a mapped or NAT64 one; others as they are.

    Source: RFC 4291 section 2.5.5.2, RFC 6052 section 2.1.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
