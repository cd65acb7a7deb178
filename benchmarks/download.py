"""Pictures a second from a server on this machine that takes 20 ms for each answer, over one host and over eight."""

import io
import multiprocessing
import shutil
import tempfile
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from common import interleaved, median, ratio, report
from PIL import Image

import ursa
from ursa.data.download.fetch import DownloadLimits

DELAY = 0.02  # seconds
COUNT = 320
ROUNDS = 5


def main() -> None:
    bodies = [photo(number) for number in range(COUNT)]
    told, tell = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.Process(
        target=serve, args=(bodies, tell), daemon=True
    )  # not under this interpreter's lock
    server.start()
    port = told.recv()
    rows = []
    for hosts, pause in ((1, 0.0), (8, 0.0), (8, DownloadLimits().pause)):
        urls = [f"http://127.0.0.{1 + n % hosts}:{port}/{n}" for n in range(COUNT)]

        def seconds(workers: int, urls: list[str] = urls, pause: float = pause) -> float:
            to = Path(tempfile.mkdtemp())
            limits = DownloadLimits(pause=pause)
            result = ursa.download({"a": urls}, to, workers=workers, limits=limits, allow_private=True)
            assert result.fetched == COUNT, result.failures[:3]
            shutil.rmtree(to)
            return result.seconds

        seen = interleaved(ROUNDS, one=partial(seconds, 1), many=partial(seconds, 16))
        one, many = (COUNT / median(seen[name]) for name in ("one", "many"))
        rows.append(
            [hosts, f"{1000 * pause:g} ms", f"{one:,.0f}", f"{many:,.0f}", f"{ratio(seen['one'], seen['many']):.1f}"]
        )
    server.terminate()
    columns = ["hosts", "pause", "1 worker, pictures a second", "16 workers", "ratio"]
    size = sum(map(len, bodies)) / COUNT / 1000
    note = (
        f"{COUNT} JPEGs of {size:.0f} kB; at most 4 requests at a time to one host, so 50 a second with one worker and "
        "200 a second for a host are the most that 20 ms allow. Each picture is flushed to the disk before it counts."
    )
    report("download", "Downloading from a server that takes 20 ms", columns, rows, note)


def serve(bodies: list[bytes], tell: Connection) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            time.sleep(DELAY)
            body = bodies[int(self.path[1:])]
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("", 0), Handler)
    tell.send(server.server_address[1])
    server.serve_forever()


def photo(number: int) -> bytes:
    coarse = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
