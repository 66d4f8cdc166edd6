"""Whether an ECDSA signature is right (SEC 1 v2, 4.1.4), on the curves that makers sign UIDs on.

Chips sign the bare UID: the number that is signed is the UID itself and no digest of it, and on secp128r1,
which `cryptography` does not know. Only public numbers are handled here, so time and memory may tell about
them. Points are in Jacobian coordinates: X/Z², Y/Z³, and Z = 0 for the point at infinity.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve y² = x³ - 3x + b over a prime field, of prime order (SEC 2)."""

    name: str
    prime: int
    b: int
    generator: tuple[int, int]
    order: int

    @property
    def size(self) -> int:
        """Bytes of a coordinate, and of each half of a signature."""
        return (self.prime.bit_length() + 7) // 8

    def has(self, point: tuple[int, int]) -> bool:
        """Whether a point in affine coordinates lies on the curve."""
        x, y = point
        on_curve = (y * y - x * x * x + 3 * x - self.b) % self.prime == 0
        return 0 <= x < self.prime and 0 <= y < self.prime and on_curve


SECP128R1 = Curve(
    "secp128r1",
    0xFFFFFFFDFFFFFFFFFFFFFFFFFFFFFFFF,
    0xE87579C11079F43DD824993C2CEE5ED3,
    (0x161FF7528B899B2D0C28607CA52C5B86, 0xCF5AC8395BAFEB13C02DA292DDED7A83),
    0xFFFFFFFE0000000075A30D1B9038A115,
)
"""SEC 2 version 1, 2.4.1."""

SECP192R1 = Curve(
    "secp192r1",
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFFFFFFFFFF,
    0x64210519E59C80E70FA7E9AB72243049FEB8DEECC146B9B1,
    (
        0x188DA80EB03090F67CBF20EB43A18800F4FF0AFD82FF1012,
        0x07192B95FFC8DA78631011ED6B24CDD573F977A11E794811,
    ),
    0xFFFFFFFFFFFFFFFFFFFFFFFF99DEF836146BC9B1B4D22831,
)
"""SEC 2 version 2, 2.2.2."""

SECP224R1 = Curve(
    "secp224r1",
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF000000000000000000000001,
    0xB4050A850C04B3ABF54132565044B0B7D7BFD8BA270B39432355FFB4,
    (
        0xB70E0CBD6BB4BF7F321390B94A03C1D356C21122343280D6115C1D21,
        0xBD376388B5F723FB4C22DFE6CD4375A05A07476444D5819985007E34,
    ),
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D,
)
"""SEC 2 version 2, 2.3.2."""

CURVES = {curve.name: curve for curve in (SECP128R1, SECP192R1, SECP224R1)}

_Point = tuple[int, int, int]
_INFINITY: _Point = (1, 1, 0)


def parse_point(curve: Curve, raw: bytes) -> tuple[int, int]:
    """Read an uncompressed point, `04 X Y` (SEC 1, 2.3.4).

    :raises ValueError: it has another form, or does not lie on the curve
    """
    size = curve.size
    point = int.from_bytes(raw[1 : 1 + size]), int.from_bytes(raw[1 + size :])
    if len(raw) != 1 + 2 * size or raw[0] != 0x04 or not curve.has(point):
        raise ValueError(f"not a point on {curve.name}: {raw.hex().upper()}")
    return point


def is_signed(curve: Curve, public_key: tuple[int, int], message: bytes, signature: bytes) -> bool:
    """Whether `signature` (r and s, each as wide as the curve) signs the number that `message` is.

    The message is at most as wide as the curve's order and taken as it is. `public_key` lies on the curve.
    """
    size, order = curve.size, curve.order
    r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
    if len(signature) != 2 * size or not (0 < r < order and 0 < s < order):
        return False
    inverse = pow(s, -1, order)
    of_generator = int.from_bytes(message) * inverse % order
    x, _, z = _sum_of_products(curve, of_generator, r * inverse % order, public_key)
    if z == 0:
        return False
    return x * pow(z, -2, curve.prime) % curve.prime % order == r


def _sum_of_products(curve: Curve, left: int, right: int, point: tuple[int, int]) -> _Point:
    """left·G + right·point, both factors walked through at once."""
    generator: _Point = (*curve.generator, 1)
    other: _Point = (*point, 1)
    addends = (_INFINITY, generator, other, _sum(curve, generator, other))
    result = _INFINITY
    for bit in reversed(range(curve.order.bit_length())):
        result = _double(curve, result)
        chosen = (left >> bit & 1) | (right >> bit & 1) << 1
        if chosen:
            result = _sum(curve, result, addends[chosen])
    return result


def _double(curve: Curve, point: _Point) -> _Point:
    prime = curve.prime
    x, y, z = point
    if z == 0:
        return _INFINITY
    y_squared = y * y % prime
    chord = 4 * x * y_squared % prime
    z_squared = z * z % prime
    slope = 3 * (x - z_squared) * (x + z_squared) % prime
    new_x = (slope * slope - 2 * chord) % prime
    new_y = (slope * (chord - new_x) - 8 * y_squared * y_squared) % prime
    return new_x, new_y, 2 * y * z % prime


def _sum(curve: Curve, left: _Point, right: _Point) -> _Point:
    prime = curve.prime
    if left[2] == 0:
        return right
    if right[2] == 0:
        return left
    left_zz, right_zz = left[2] ** 2 % prime, right[2] ** 2 % prime
    left_x, right_x = left[0] * right_zz % prime, right[0] * left_zz % prime
    left_y, right_y = left[1] * right_zz * right[2] % prime, right[1] * left_zz * left[2] % prime
    if left_x == right_x:
        return _double(curve, left) if left_y == right_y else _INFINITY
    run, rise = right_x - left_x, right_y - left_y
    run_squared = run * run % prime
    run_cubed = run_squared * run % prime
    corner = left_x * run_squared % prime
    new_x = (rise * rise - run_cubed - 2 * corner) % prime
    new_y = (rise * (corner - new_x) - left_y * run_cubed) % prime
    return new_x, new_y, left[2] * right[2] * run % prime
