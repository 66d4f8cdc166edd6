"""What tells PC/SC readers apart, as far as a program has to know: one line for each model.

From "ACR122U API" 2.04, the escape commands of the ACR1552U, the manuals of Identiv's uTrust 37xx, notes of
HID on OMNIKEY readers, and PC/SC part 3 with its supplement on transparent sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_SCARD_VOLATILE, _SCARD_NON_VOLATILE = 0x00, 0x20


class BareCommand(StrEnum):
    """What a reader makes of `FF 00 00 00 Lc …`."""

    PASSES_ON = "passes on"
    """It hands the data to its PN532: direct transmit."""
    REFUSES = "refuses"
    STORES_KEY = "stores a key"
    """It writes the data over a key in its own memory, and says 9000."""


@dataclass(frozen=True, slots=True)
class ReaderModel:
    """One kind of reader."""

    word: str
    name: str
    """What PC/SC calls it, without slot and number."""
    firmware: str = ""
    """What it answers to `FF 00 48 00 00`; empty if it does not know that."""
    is_transparent: bool = False
    """Whether it passes frames on in a session (`FF C2`)."""
    bare_command: BareCommand = BareCommand.REFUSES
    volatile_slots: range = range(0)
    lasting_slots: range = range(0)
    """Where keys can be loaded to: `FF 82 00 SLOT`, and `FF 82 20 SLOT`."""
    is_talkative: bool = True
    """Whether its status words say more than 6300."""
    tells_ats: bool = True
    """Whether `FF CA 01` answers the historical bytes of a card."""
    puts_whole_ats: bool = False

    @property
    def has_pn532(self) -> bool:
        """Whether a PN532 is inside that a program gets at."""
        return self.bare_command is BareCommand.PASSES_ON

    def slots(self, structure: int) -> range:
        """The key slots behind a key structure byte of `FF 82`."""
        return {_SCARD_VOLATILE: self.volatile_slots, _SCARD_NON_VOLATILE: self.lasting_slots}.get(
            structure, range(0)
        )


MODELS = {
    model.word: model
    for model in (
        ReaderModel(
            "acr122u",
            "ACS ACR122U PICC Interface",
            firmware="ACR122U215",
            bare_command=BareCommand.PASSES_ON,
            volatile_slots=range(0x02),
            is_talkative=False,
            puts_whole_ats=True,
        ),
        ReaderModel(
            "acr1552u",
            "ACS ACR1552 1S CL Reader PICC",
            is_transparent=True,
            volatile_slots=range(0x20, 0x21),
            lasting_slots=range(0x20),
        ),
        ReaderModel(
            "omnikey5022",
            "HID Global OMNIKEY 5022 Smart Card Reader",
            is_transparent=True,
            bare_command=BareCommand.STORES_KEY,
            lasting_slots=range(0x20),
        ),
        ReaderModel(
            "identiv3700",
            "Identiv uTrust 3700 F CL Reader",
            is_transparent=True,
            bare_command=BareCommand.STORES_KEY,
            volatile_slots=range(0x60, 0x62),
            tells_ats=False,
        ),
        ReaderModel(
            "plain",
            "Plain PC/SC Reader",
            bare_command=BareCommand.STORES_KEY,
            volatile_slots=range(0x02),
        ),
    )
}

DEFAULT_MODEL = MODELS["acr1552u"]
