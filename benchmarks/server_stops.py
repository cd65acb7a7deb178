"""SIGTERM under load, again and again: is every request answered that a server has accepted?

Eight clients ask one after the other, half of them on connections that stay open, half with a new one each, until none
is accepted any more. Lost is a request on an accepted connection that gets no whole answer of 200 or 503.
"""

import argparse
import contextlib
import http.client
import json
import signal
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from common import median, report
from PIL import Image
from server_load import server, train

CLIENTS = 8


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--load", type=float, default=1.0, help="seconds of asking before the signal")
    parser.add_argument("--bundle", type=Path, help="instead of one trained here on colours")
    parser.add_argument("--json", action="store_true", help="print what was seen, and write no result")
    arguments = parser.parse_args()
    seen, ends = Counter[str](), []
    with tempfile.TemporaryDirectory() as place:
        bundle = arguments.bundle or train(Path(place))
        for _ in range(arguments.times):
            found, seconds = stopped(bundle, Path(place) / "log", arguments.load)
            seen += found
            ends.append(seconds)
    answered = seen["200"] + seen["503"]
    lost = {name: count for name, count in seen.items() if name not in ("200", "503")}
    if arguments.json:
        print(json.dumps({"answered": answered, "lost": lost, "seconds": ends}))
        return
    row = [arguments.times, f"{answered:,}", sum(lost.values()), f"{median(ends):.1f} s", f"{max(ends):.1f} s"]
    columns = ["SIGTERMs", "answered", "lost", "from signal to end, median", "longest"]
    note = f"{CLIENTS} clients, half of them on connections that stay open, {arguments.load:g} s of load before each."
    report("server_stops", "A server ended under load", columns, [row], note)


def stopped(bundle: Path, log: Path, load: float) -> tuple["Counter[str]", float]:
    """What the clients of one server saw, and the seconds that it took to end."""
    buffer = BytesIO()
    Image.effect_noise((500, 400), 60).convert("RGB").save(buffer, "JPEG")
    with server(bundle, log) as (process, port), ThreadPoolExecutor(CLIENTS) as pool:
        asked = [pool.submit(client, port, buffer.getvalue(), keep=i % 2 == 0) for i in range(CLIENTS)]
        threading.Event().wait(load)
        began = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        seconds = time.perf_counter() - began
        return sum((each.result() for each in asked), Counter[str]()), seconds


def client(port: int, picture: bytes, *, keep: bool) -> "Counter[str]":
    """Statuses of all answers, and the errors where there was none, until nobody listens any more."""
    seen = Counter[str]()
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.connect()
        except ConnectionRefusedError:
            return seen
        with contextlib.closing(connection):
            going = True
            while going:
                try:
                    connection.request("POST", "/v1/predict", picture, {"content-type": "image/jpeg"})
                    answer = connection.getresponse()
                    answer.read()
                    seen[str(answer.status)] += 1
                    going = keep and answer.headers.get("connection") != "close"
                except (OSError, http.client.HTTPException) as problem:
                    seen[type(problem).__name__] += 1
                    going = False


if __name__ == "__main__":
    main()
