"""Bytes from outside -> pixels, decoded where a crash costs one picture and not the process.

    caller  --bytes in shared memory-->  worker process: `core.image.read`  --pixels in shared memory-->  caller

A worker can do nothing but decode: no files, no network, no further processes, bounded memory and computing time
(`lockdown`). When it dies or overruns, the picture is tried once more in a fresh worker; if that ends too, the picture
is refused with the reason and everything else goes on. One server process, forked for each worker, makes a new one cost
milliseconds (`process`); workers are shared by all threads of a process, as many as there are cores (`pool`). What a
model sees of a picture is made by `views`, whoever needs it.
"""

from ursa.sandbox.model_views import small_copies, view, views
from ursa.sandbox.pool import LIMITS, DecodingLimits, prepare, read, reading

__all__ = ["LIMITS", "DecodingLimits", "prepare", "read", "reading", "small_copies", "view", "views"]
