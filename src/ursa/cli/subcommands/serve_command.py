"""`ursa serve`: bundles in the browser, and for programs."""

import contextlib
import math
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from ursa.cli.command_options import AllowedHosts, Bundles, Debug, ForwardedAllowIps, Json
from ursa.cli.output import print_json, say


def serve(
    bundles: Bundles,
    host: Annotated[str, typer.Option("--host", help="0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes any free one.")] = 8000,
    title: Annotated[
        str | None,
        typer.Option("--title", help="At the top of the page.", metavar="TEXT", show_default="What is in the picture?"),
    ] = None,
    max_mb: Annotated[float, typer.Option("--max-mb", help="Largest upload, in megabytes.")] = 20.0,
    max_queue: Annotated[
        int, typer.Option("--max-queue", help="Requests that may wait for a core; the next one is answered 503.")
    ] = 64,
    rate: Annotated[
        float | None, typer.Option("--rate", help="Pictures a minute of one client. [default: any number]", metavar="N")
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            "--api-key-file",
            help="Keys, one a line: requests need one. URSA_API_KEY may hold one, too.",
            metavar="FILE",
        ),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option("--cors-origin", help="Whose pages may ask; '*' for all. May be repeated.", metavar="ORIGIN"),
    ] = None,
    log: Annotated[str, typer.Option("--log", help="A line for each request: none, text, json.")] = "none",
    allowed_host: AllowedHosts = None,
    forwarded_allow_ips: ForwardedAllowIps = "",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """A page to drop pictures on, and a JSON API, until Ctrl-C. New versions of the bundles are taken over."""
    threading.Thread(target=_first_decoder, name="ursa-decoder", daemon=True).start()  # while the rest is loaded
    from ursa.serve.api.api_keys import api_keys
    from ursa.serve.api.served_models import served_models
    from ursa.serve.app import ApiOptions
    from ursa.serve.limits import ServerLimits
    from ursa.serve.run import run

    largest = round(max_mb * 1e6) if math.isfinite(max_mb) else 0
    limits = ServerLimits(max_bytes=largest, waiting=max_queue, rate=rate)
    options = ApiOptions(api_keys(api_key_file), tuple(cors_origin or ()), log)
    models = served_models(bundles)

    def ready(address: str) -> None:
        if json_:
            print_json({"address": address})
        say(f"Open {address} in a browser. Ctrl-C ends.")

    where: dict[str, Any] = {"allowed_hosts": allowed_host or (), "forwarded_allow_ips": forwarded_allow_ips}
    try:
        run(models, host, port, ready=ready, title=title, limits=limits, options=options, **where)
    finally:
        for model in models:
            model.predictor.close()  # a slow model would go on, and the process with it
    say("Stopped.")


def _first_decoder() -> None:
    """A process of its own, which takes a fifth of a second to start."""
    from ursa import sandbox
    from ursa.errors import UrsaError

    with contextlib.suppress(UrsaError, OSError):  # the server asks for it again, and says what is wrong
        sandbox.prepare()
