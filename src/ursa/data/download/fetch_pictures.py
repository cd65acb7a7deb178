"""A few URLs -> the bytes of their pictures, in memory, with the limits and judgements of every download."""

import asyncio
from collections.abc import Sequence

from ursa.data.download.addresses import Network
from ursa.data.download.downloader import verified
from ursa.data.download.fetch import DownloadLimits, Refusal, Turns, client, fetch
from ursa.data.download.lists import address
from ursa.errors import DataError

MOST_URLS = 200  # at 20 MB each that is all the memory of a laptop; for more there is `ursa download`
WORKERS = 8


def fetch_pictures(
    urls: Sequence[str],
    *,
    allow_private: bool = False,
    network: Network | None = None,
    limits: DownloadLimits | None = None,
) -> list[bytes | Refusal]:
    """Each URL, in order: the bytes of a whole picture, or why there is none.

    allow_private: also from addresses that are not of the open internet. Raises DataError for more than MOST_URLS.
    """
    if len(urls) > MOST_URLS:
        fix = "fetch them first: ursa download LIST --to FOLDER"
        raise DataError(f"up to {MOST_URLS} addresses are fetched at a time", found=f"{len(urls):,}", fix=fix)
    return asyncio.run(_all(urls, allow_private, network or Network(), limits or DownloadLimits())) if urls else []


async def _all(
    urls: Sequence[str], allow_private: bool, network: Network, limits: DownloadLimits
) -> list[bytes | Refusal]:
    turns = Turns(WORKERS, limits)

    async def one(url: str) -> bytes | Refusal:
        found = address(url)
        if isinstance(found, str):
            return Refusal(found, final=True)
        answer = await fetch(found.url, http, turns, limits)
        return await asyncio.to_thread(verified, answer) if isinstance(answer, bytes) else answer

    async with client(network, limits, WORKERS, allow_private=allow_private) as http:
        return list(await asyncio.gather(*(one(url) for url in urls)))
