"""`ursa serve`: a bundle in the browser."""

from typing import Annotated, Any

import typer

from ursa.cli.command_options import AllowedHosts, Bundle, Debug, ForwardedAllowIps, Json
from ursa.cli.output import print_json, say


def serve(
    bundle: Bundle,
    host: Annotated[str, typer.Option("--host", help="0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes any free one.")] = 8000,
    title: Annotated[
        str | None,
        typer.Option("--title", help="At the top of the page.", metavar="TEXT", show_default="What is in the picture?"),
    ] = None,
    max_mb: Annotated[float, typer.Option("--max-mb", help="Largest upload, in megabytes.")] = 20.0,
    allowed_host: AllowedHosts = None,
    forwarded_allow_ips: ForwardedAllowIps = "",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """A page to drop pictures on, and a JSON API, until Ctrl-C."""
    from ursa.serve.limits import ServerLimits
    from ursa.serve.predictor import Predictor
    from ursa.serve.run import run

    def ready(address: str) -> None:
        if json_:
            print_json({"address": address})
        say(f"Open {address} in a browser. Ctrl-C ends.")

    limits, hosts = ServerLimits(max_bytes=round(max_mb * 1e6)), allowed_host or ()
    options: dict[str, Any] = {"allowed_hosts": hosts, "forwarded_allow_ips": forwarded_allow_ips}
    predictor = Predictor(bundle)
    try:
        run(predictor, host, port, ready=ready, title=title, limits=limits, **options)
    finally:
        predictor.close()  # a slow model would go on, and the process with it
    say("Stopped.")
