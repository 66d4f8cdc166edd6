"""Our own OCPI endpoints: versions, details, credentials, Tokens sender, HubClientInfo receiver.

What is listed in the details is served, and the other way round. Every answer is an OCPI envelope, errors
included. Our paths follow from `Us.versions_url`, so a proxy in front of us must leave them as they are.

    a request ─► guard ─► gate ─► tokens          what partners ask all day
                             └──► all else        credentials, Sessions, CDRs, HubClientInfo (FastAPI)

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0 version_information_endpoint, credentials, mod_tokens (Sender Interface),
mod_hub_client_info, mod_sessions and mod_cdrs (Receiver Interfaces), transport_and_format.
"""

from rfid_station.ocpi.server.app import create_app
from rfid_station.ocpi.server.listening import Tls, listen, serve_in_thread
from rfid_station.ocpi.server.record import Metrics
from rfid_station.ocpi.server.request import Limits

__all__ = ["Limits", "Metrics", "Tls", "create_app", "listen", "serve_in_thread"]
