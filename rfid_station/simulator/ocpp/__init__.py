"""OCPP 1.6J and 2.0.1: a central system that decides for a virtual CPO, and a charging station."""
