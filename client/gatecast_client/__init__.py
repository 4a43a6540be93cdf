"""A client of a Gatecast service: knows it by HTTP alone. Depends on httpx2 and nothing else. Begin with `client`."""

from gatecast_client.client import Client
from gatecast_client.errors import ClientError

__all__ = ["Client", "ClientError"]
