"""What may be set, from `station.toml`, the environment and the command line, in rising order.

`RFID_STATION_OCPI__PARTY_ID=EXM` sets `party_id` in table `[ocpi]`. The result is frozen.
Secrets are never settings: they lie in files of their own, and settings only say where.
"""

from __future__ import annotations
