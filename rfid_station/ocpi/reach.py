"""Where a partner may make us call: public addresses, and what the operator has named.

Partners tell us URLs: of versions, details, modules. None of them may lead into the operator's own network,
so a name is looked up once, each of its addresses is judged, and the connection goes to one that was judged.

Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries (by the `ipaddress` module), RFC 4291 2.5.5.2
(mapped), RFC 3056 (6to4), RFC 6052 2.1 (NAT64).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from pyreqwest.http import Url

Address = IPv4Address | IPv6Address
LookUp = Callable[[str, int], list[str]]
"""The addresses of a name, the best first. Raises OSError where there are none."""

_NAT64 = IPv6Network("64:ff9b::/96")
_HERE = "localhost"


class OutOfReach(Exception):
    """Nothing may be called at that URL, or nothing is there. As text: why, and no address of ours."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes. The host is written as the request will have it, dot at the end and all.

    Without an address the host is one, or this machine, or a proxy finds it.
    """

    host: str
    address: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether that is this machine."""
        return self.address is None and _is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Reach:
    """What is called beside public addresses.

    :param named: hosts, addresses and networks that the operator has named
    :param here: whether partners may be on this machine
    """

    named: frozenset[str] = frozenset()
    here: bool = False

    def with_host_of(self, url: str) -> Self:
        """The same with the host of a URL that the operator has typed, if that is an address.

        A name is not: whoever it belongs to says where it leads, today and tomorrow.
        """
        host = _host_of(url)
        is_fixed = host is not None and (host == _HERE or _address(host) is not None)
        return replace(self, named=self.named | {host}) if host and is_fixed else self

    def beside(self, url: str) -> Self:
        """The same, with this machine, if we ourselves are only to be reached there, by our own URL."""
        return replace(self, here=self.here or _is_loopback(_host_of(url) or ""))

    def places(self, url: str, look_up: LookUp | None = None) -> list[Place]:
        """Where a URL may be called, the best first. Never empty.

        :param look_up: None where a proxy looks names up for us, and connects to what it finds
        :raises OutOfReach: nowhere
        """
        parsed = _parsed(url)
        host, fixed = _host(parsed), _address(_host(parsed))
        is_allowed = host in self.named or (self.here and host == _HERE)
        if not is_allowed and (host == _HERE or host.endswith(f".{_HERE}")):
            raise _refusal(host)
        if fixed is not None and not is_allowed:
            self._check(host, [fixed])
        if fixed is not None or host == _HERE or look_up is None:
            return [Place(host)]
        found = _looked_up(host, parsed.port_or_known_default or 0, look_up)
        if not is_allowed:
            self._check(host, [address for one in found if (address := _address(one))])
        return [Place(parsed.host_str or "", address) for address in found]

    def _check(self, host: str, addresses: Iterable[Address]) -> None:
        if not all(_is_public(one) or self._is_named(one) for one in addresses):
            raise _refusal(host)

    def _is_named(self, address: Address) -> bool:
        bare = _bare(address)
        if self.here and bare.is_loopback:
            return True
        return any(bare in ip_network(one) for one in self.named if _is_network(one))


PUBLIC = Reach()
"""Public addresses alone."""


def look_up(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def _looked_up(host: str, port: int, look_up: LookUp) -> list[str]:
    try:
        found = look_up(host, port)
    except (OSError, UnicodeError):
        found = []
    if not found:
        raise OutOfReach(f"the name {host} is not known")
    return found


def _refusal(host: str) -> OutOfReach:
    return OutOfReach(f"{host} is not at a public address, and not in ocpi.private_hosts; nothing was sent")


def _parsed(url: str) -> Url:
    """Read by the very parser that the request is sent by, so that both mean the same host."""
    try:
        return Url(url)
    except ValueError:
        raise OutOfReach("that is not a URL") from None


def _host(url: Url) -> str:
    return (url.host_str or "").strip("[]").rstrip(".").lower()


def _host_of(url: str) -> str | None:
    try:
        return _host(_parsed(url)) or None
    except OutOfReach:
        return None


def _address(host: str) -> Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    # Asked before every request.
    address = _address(host)
    return host == _HERE or (address is not None and _bare(address).is_loopback)


def _bare(address: Address) -> Address:
    """The IPv4 address inside an IPv6 address that stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    bare = _bare(address)
    return bare.is_global and not (bare.is_multicast or bare.is_reserved)
