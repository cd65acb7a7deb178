"""A page on the kernel's machine -> what a notebook shows of it: a frame, and a link for where no frame is shown.

The browser asks 127.0.0.1 itself, which is right where it runs on the kernel's machine. Elsewhere a proxy of the
notebook's server brings it: Colab has one of its own, jupyter-server-proxy serves ports under `/proxy/PORT/`.
"""

import html
import os
import sys
from urllib.parse import urlsplit

from ursa.errors import DataError

COLAB_HOSTS = ("*.googleusercontent.com", "*.colab.dev", "colab.research.google.com")
HEIGHT = 640  # px: on a laptop all of it is seen at once, its buttons too (benchmarks/notebook.py)


def in_notebook() -> bool:
    """Whether values are shown by a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and type(shell).__name__ != "TerminalInteractiveShell"


def notebook_proxy(asked: str | None) -> str | None:
    """Where ports of the kernel's machine are shown: what was asked for, or what JupyterHub tells its kernels.

    Raises DataError for what is no address, and where no notebook would show it.
    """
    if asked is None:
        hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "")
        return f"{hub.rstrip('/')}/proxy" if hub.startswith("/") and in_notebook() else None
    fix = "the path under which the notebook's server shows ports: proxy='/user/NAME/proxy', say"
    if not in_notebook():
        raise DataError("a proxy brings the page into a notebook, and this is none", found=asked, fix="leave it out")
    parts = urlsplit(asked)
    if not (asked.startswith("/") and not asked.startswith("//")) and not (
        parts.scheme in ("http", "https") and parts.hostname
    ):
        raise DataError("this is no address of a proxy", found=asked, fix=fix)
    return asked.rstrip("/")


def frame_hosts(proxy: str | None) -> tuple[str, ...]:
    """Names by which the page may be asked for, besides those of this machine.

    Of a path nobody knows the name before it: there the token in the address alone keeps others out.
    """
    if "google.colab" in sys.modules:
        return COLAB_HOSTS
    if proxy is None:
        return ()
    return (urlsplit(proxy).hostname or "*",)


def show_frame(url: str, port: int, proxy: str | None) -> None:
    """url: of the page, on the kernel's machine."""
    path = url.partition(f":{port}")[2]
    if "google.colab" in sys.modules:
        sys.modules["google.colab"].output.serve_kernel_port_as_iframe(port, path=path, height=str(HEIGHT))
        return
    from IPython.display import HTML, IFrame, display  # type: ignore[import-not-found,unused-ignore]

    address = url if proxy is None else f"{proxy}/{port}{path}"
    link = html.escape(address, quote=True)
    display(IFrame(address, "100%", HEIGHT))
    display(HTML(f'<a href="{link}" target="_blank" rel="noopener">Open the page in a window of its own</a>'))
