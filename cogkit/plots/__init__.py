"""Pictures of data; no models in here."""
