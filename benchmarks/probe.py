"""The probe's joint fit of all folds and strengths against scikit-learn's, one by one."""

import time

import numpy as np
from common import interleaved, median, ratio, report
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ursa.core import statistics
from ursa.embed import probe


def main() -> None:
    rows = []
    for n, d, k in ((500, 512, 3), (1400, 512, 2), (1000, 512, 10)):
        draw = np.random.default_rng(0)
        targets = draw.integers(0, k, n)
        centers = draw.normal(0, 0.05, (k, d))
        noise = draw.normal(0, 1, (n, 40)) @ draw.normal(0, 0.1, (40, d)) + draw.normal(0, 0.3, (n, d))  # correlated
        shown = np.where(draw.random(n) < 0.05, draw.integers(0, k, n), targets)  # some labels are wrong
        vectors = (noise + centers[shown]).astype(np.float32)
        fold = probe.assign_folds(targets, np.arange(n), 5, 0)
        fitted = probe.fit(vectors, targets, k)
        tried = [s for s in probe.STRENGTHS if s >= fitted.strength / 3.4]  # the path stops after the best

        def ours(v: probe.F32 = vectors, t: probe.I64 = targets, c: int = k) -> float:
            start = time.perf_counter()
            probe.fit(v, t, c)
            return time.perf_counter() - start

        def theirs(
            v: probe.F32 = vectors, t: probe.I64 = targets, f: probe.I64 = fold, s: list[float] = tried
        ) -> float:
            start = time.perf_counter()
            one_by_one(v, t, f, s)
            return time.perf_counter() - start

        seen = interleaved(3, ours=ours, theirs=theirs)
        loss = statistics.log_loss(fitted.probabilities, targets)
        other = min(statistics.log_loss(p, targets) for p in one_by_one(vectors, targets, fold, tried))
        times = f"{median(seen['ours']):.2f} s", f"{median(seen['theirs']):.2f} s"
        rows.append(
            [
                f"{n} x {d}, {k} classes",
                *times,
                f"{ratio(seen['theirs'], seen['ours']):.1f}",
                f"{loss:.3f}",
                f"{other:.3f}",
            ]
        )
    columns = ["features", "Ursa", "scikit-learn", "ratio", "loss, Ursa", "loss, scikit-learn"]
    report("probe", "Probe: 5 folds over the strengths tried", columns, rows, "Loss: cross-validated, in nats.")


def one_by_one(vectors: probe.F32, targets: probe.I64, fold: probe.I64, strengths: list[float]) -> list[probe.F32]:
    found = []
    for strength in strengths:
        out = np.zeros((len(targets), targets.max() + 1), np.float32)
        for f in range(5):
            rows = fold != f
            model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / (strength * rows.sum()), max_iter=200))
            model.fit(vectors[rows], targets[rows])
            out[~rows] = model.predict_proba(vectors[~rows])
        found.append(out)
    return found


if __name__ == "__main__":
    main()
