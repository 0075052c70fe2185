"""Which addresses are public, against Python's own table and by what hides inside them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.egress.networks import denied, never, unwrap

REFUSED = [
    "0.0.0.0", "10.0.0.8", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.9", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "100.100.100.200",
    "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:7f00:1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::", "2002:808:808::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fec0::1", "ff02::1", "4000::1", "e000::1", "1::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "52.216.1.1", "100.63.255.255",
    "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.1.1", "172.15.0.1", "172.32.0.1",
    "192.167.1.1", "198.17.1.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111",
    "2001:4860:4860::8888", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_public_has_a_kind(text):
    assert denied(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_have_none(text):
    assert denied(ipaddress.ip_address(text)) is None


@pytest.mark.parametrize("text", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1",
    "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "168.63.129.16"])  # fmt: skip
def test_metadata_services_are_never_open(text):
    assert never(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["127.0.0.1", "10.0.0.1", "fd00::1", "8.8.8.8"])
def test_other_addresses_an_operator_may_open(text):
    assert not never(ipaddress.ip_address(text))


addresses = st.one_of(
    st.ip_addresses(v=4),
    st.ip_addresses(v=6),
    st.ip_addresses(v=6, network="2000::/3"),
    st.ip_addresses(v=6, network="::ffff:0:0/96"),
    st.ip_addresses(v=6, network="64:ff9b::/96"),
)


@given(addresses)
def test_whatever_passes_is_public_by_pythons_table_too(address):
    inner = unwrap(address)
    if denied(address) is None:
        assert inner.is_global
        kinds = ("multicast", "private", "reserved", "link_local", "loopback", "unspecified")
        assert [kind for kind in kinds if getattr(inner, f"is_{kind}")] == []


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_judged_as_itself(address):
    number = int(address)
    mapped = ipaddress.IPv6Address(0xFFFF_0000_0000 | number)
    nat64 = ipaddress.IPv6Address((0x64_FF9B << 96) | number)
    assert denied(mapped) == denied(nat64) == denied(address)
    assert unwrap(mapped) == unwrap(nat64) == unwrap(address) == address


@given(st.ip_addresses(v=4), st.sampled_from([0, 0xFFFF_0000_0000_0000]))
def test_other_disguises_are_refused_whatever_they_hold(address, prefix):
    assert denied(ipaddress.IPv6Address(prefix | int(address)))
    assert denied(ipaddress.IPv6Address((0x2002 << 112) | int(address) << 80))
