"""What happens in the server, as Prometheus reads it (`/metrics`, text format 0.0.4). All labels come from short lists.

Names and units follow https://prometheus.io/docs/practices/naming/.
"""

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

# Seconds. A picture takes some 20 ms; a full queue of 64 makes that some seconds; a slow sender, minutes.
BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
REASONS = {
    400: "malformed",
    401: "api_key",
    404: "not_found",
    405: "not_found",
    408: "too_slow",
    413: "too_large",
    415: "content_type",
    421: "host",
    422: "picture",
    429: "harmful_pictures",
    499: "client_left",
    500: "error",
    503: "busy",
}


class ServerMetrics:
    """Counts of one server, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # process_resident_memory_bytes and its like, on Linux
        request = ("model", "path", "status")
        self._requests = Counter("ursa_http_requests", "Answered requests.", request, registry=registry)
        self._seconds = Histogram(
            "ursa_http_request_duration_seconds",
            "From a request's header to the end of its answer.",
            ("model", "path"),
            buckets=BUCKETS,
            registry=registry,
        )
        self._refused = Counter("ursa_refused_requests", "Not answered as asked.", ("reason",), registry=registry)
        picture = ("model", "outcome")
        self._pictures = Counter("ursa_pictures", "Predicted, or with a problem.", picture, registry=registry)
        self._model = Info("ursa_model", "What is being served.", ("model",), registry=registry)
        reload = ("model", "outcome")
        self._reloads = Counter("ursa_model_reloads", "New bundles, taken over or not.", reload, registry=registry)

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """A gauge that asks for its value when it is read."""
        Gauge(name, help_text, registry=self.registry).set_function(value)

    def answered(self, model: str, path: str, status: int, seconds: float) -> None:
        """A request has its answer; status 0: it broke off before."""
        self._requests.labels(model, path, str(status)).inc()
        self._seconds.labels(model, path).observe(seconds)

    def refused(self, reason: str, status: int) -> None:
        """It was not the answer that was asked for; reason "": what its status stands for."""
        self._refused.labels(reason or REASONS.get(status, "other")).inc()

    def pictures(self, model: str, predicted: int, problems: int) -> None:
        """What became of the pictures of a request."""
        self._pictures.labels(model, "predicted").inc(predicted)
        self._pictures.labels(model, "problem").inc(problems)

    def model(self, model: str, **about: str) -> None:
        """What is served under this name from now on."""
        self._model.labels(model).info(about)
        for outcome in ("taken_over", "refused"):
            self._reloads.labels(model, outcome)  # 0, so that the first one is seen as a step

    def reloaded(self, model: str, outcome: str) -> None:
        """A new bundle came: `taken_over` or `refused`."""
        self._reloads.labels(model, outcome).inc()

    def text(self) -> tuple[bytes, str]:
        """What Prometheus reads, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
