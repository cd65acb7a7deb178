"""The page, and the headers that every answer carries."""

import base64
import hashlib
import html
import re
from importlib.resources import files


def page(title: str) -> str:
    """HTML, complete: its style and script are inside, and it asks for nothing from elsewhere."""
    template = files("ursa.serve").joinpath("page.html").read_text("utf-8")
    return template.replace("{{title}}", html.escape(title))


def security_headers(page: str) -> dict[str, str]:
    """The page's own style and script are allowed by their hashes, and nothing else is."""

    def hashes(tag: str) -> str:
        bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    policy = (
        f"default-src 'none'; script-src {hashes('script')}; style-src {hashes('style')}; img-src blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
    }
