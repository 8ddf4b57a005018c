"""A namespace's resources from the API server, read once."""

import asyncio
from collections.abc import Mapping

from steelyard.api.meta import SECRET_SELECTOR
from steelyard.kube import configuration, kinds
from steelyard.kube.client import Client
from steelyard.kube.store import Store

_SELECTORS = {
    **dict.fromkeys(kinds.OURS, ""),
    kinds.SECRET: SECRET_SELECTOR,
    kinds.CONFIG_MAP: "",
    kinds.SERVICE: "",
    kinds.ENDPOINT_SLICE: "",
}
"""What is read, and the labels that it must carry."""


def read(environment: Mapping[str, str], namespace: str) -> Store:
    """What decisions are made from, as it is now. Raises KubeError."""
    return asyncio.run(_read(configuration.load(environment), namespace))


async def _read(configured: configuration.Configuration, namespace: str) -> Store:
    store = Store()
    async with Client(configured) as client:
        for kind, selector in _SELECTORS.items():
            listing = await client.list(kind, namespace, selector)
            store.replace(kind, namespace, listing.items)
    return store
