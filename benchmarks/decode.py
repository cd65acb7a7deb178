"""Reading JPEG whole against reading only as much as a view needs, on photos of 0.2 to 12 megapixels made here."""

import io
import time

import numpy as np
from common import interleaved, median, ratio, report
from PIL import Image

from ursa.core.decoding import image
from ursa.core.prepare import Preparation
from ursa.core.threads import chunks

PREPARATION = Preparation(size=224)


def main() -> None:
    rows = []
    for width, height, count in ((500, 375, 200), (1600, 1200, 60), (4000, 3000, 16)):
        data = photo(width, height)

        def seconds(at_least: int | None, data: bytes = data, count: int = count) -> float:
            start = time.perf_counter()
            for _ in chunks([data] * count, lambda d: PREPARATION.view(image.read(d, at_least=at_least).pixels)):
                pass
            return time.perf_counter() - start

        seen = interleaved(5, whole=lambda: seconds(None), needed=lambda: seconds(224))
        whole, needed = (PREPARATION.view(image.read(data, at_least=at).pixels).astype(int) for at in (None, 224))
        rows.append(
            [
                f"{width} x {height}",
                f"{count / median(seen['whole']):,.0f}",
                f"{count / median(seen['needed']):,.0f}",
                f"{ratio(seen['whole'], seen['needed']):.1f}",
                f"{np.abs(whole - needed).mean():.2f}",
            ]
        )
    columns = ["pixels", "whole, a second", "as needed, a second", "ratio", "mean difference of the views"]
    report("decode", "Reading JPEG for views of 224 px, all cores", columns, rows, "Difference in grey levels of 255.")


def photo(width: int, height: int) -> bytes:
    """Soft shapes with the noise of a camera, as JPEG of quality 90."""
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    noisy = (soft + draw.normal(0, 6, soft.shape)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
