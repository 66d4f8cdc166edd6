"""OCPI as spoken on the wire: models per version, client, handshake, server."""
