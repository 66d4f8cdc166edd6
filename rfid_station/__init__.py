"""RFID Station: from a blank card to an OCPI token at every partner, and back out when it is lost."""

__version__ = "0.1.0"
