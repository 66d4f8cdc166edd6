"""What a design puts where it must not lie: out of the safe area, over a chip, in the way of a code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rfid_station.errors import WrongCall
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.geometry import Box
from rfid_station.printing.layer import CodeLayer, Layer, TextLayer


def misplaced(design: CardDesign) -> Iterator[WrongCall]:
    """What lies where it must not, whatever the brand and the card."""
    for side in Side:
        layers = [layer for layer in design.side(side) if not layer.is_preprinted]
        yield from _outside_the_safe_area(design, layers)
        yield from _where_nothing_is_printed(design, side, layers)
        yield from _in_the_way_of_a_code(design.side(side))


def _outside_the_safe_area(design: CardDesign, layers: Sequence[Layer]) -> Iterator[WrongCall]:
    safe = Box(0, 0, design.width_mm, design.height_mm).grown(-design.safe_mm)
    for layer in layers:
        if isinstance(layer, TextLayer | CodeLayer) and not safe.holds(layer.box):
            yield WrongCall(
                f"{layer.place}: reaches to {_extent(layer.box)}, out of the safe area",
                hint=f"keep it within {_extent(safe)}, {design.safe_mm:g} mm from every edge (entry safe)",
            )


def _where_nothing_is_printed(design: CardDesign, side: Side, layers: Sequence[Layer]) -> Iterator[WrongCall]:
    zones = [zone for zone in design.no_print if zone.side in (None, side)]
    for layer in layers:
        for zone in zones:
            if isinstance(layer, TextLayer | CodeLayer) and layer.box.overlaps(zone.zone):
                yield WrongCall(
                    f"{layer.place}: lies over the {zone.reason} at {_extent(zone.zone)}",
                    hint="move it away: printers skip there, and what they print wears off",
                )


def _in_the_way_of_a_code(layers: Sequence[Layer]) -> Iterator[WrongCall]:
    """What is drawn over a code or its quiet zone, and a text that a code would hide."""
    for number, code in enumerate(layers):
        if not isinstance(code, CodeLayer):
            continue
        for other_number, other in enumerate(layers):
            is_in_the_way = other_number > number or isinstance(other, TextLayer)
            if is_in_the_way and other.box.overlaps(code.box) and not other.excludes(code):
                yield WrongCall(
                    f"{other.place}: runs into the {code.title} at {_extent(code.box)}",
                    hint="move one of them, or draw what lies below the code before it",
                )


def _extent(box: Box) -> str:
    return f"x {box.x:.1f} to {box.right:.1f}, y {box.y:.1f} to {box.bottom:.1f} mm"
