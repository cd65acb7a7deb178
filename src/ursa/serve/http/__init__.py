"""Connections and bodies, under limits: `http_server` -> `acceptor` -> `http_protocol` -> `hosts`, `upload`, `form`.

`fair_queue` and `clients` share connections, memory and time among clients; `refusals` are the answers to too much.
"""
