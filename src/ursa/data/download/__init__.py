"""Lists of URLs -> picture files in class folders: `lists` reads them, `downloader` fetches them, `ledger` remembers.

Only public addresses are connected to (`addresses`); a host that fails or refuses is left alone for a while (`fetch`).
"""

from ursa.renamed import was_module

__getattr__ = was_module(__name__)
