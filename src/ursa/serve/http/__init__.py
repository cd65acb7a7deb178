"""Connections and bodies, under limits: `acceptor` -> `http_protocol` -> `hosts`, `upload`, `form` -> the application.

`fair_queue` and `clients` share connections, memory and time among clients; `refusals` are the answers to too much.
"""
