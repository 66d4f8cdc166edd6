"""What is written down about requests: counts for Prometheus, and one line of JSON each.

No line holds a token, a whole UID, a query or a body: what a partner sends is not ours to keep.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from rfid_station.ocpi.server.request import Asked, Reply
from rfid_station.ocpi.wire.transport import date_time

Log = Callable[[Mapping[str, object]], None]

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

_LABEL = re.compile(r'[\\"\n]')
_PRINTABLE = re.compile(r"[^\x20-\x7e]")


class Histogram:
    """How long something took, counted in buckets."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS_S) + 1)
        self._sum_s = 0.0

    def note(self, took_s: float) -> None:
        """Count one."""
        self._counts[bisect_left(BUCKETS_S, took_s)] += 1
        self._sum_s += took_s

    def lines(self, name: str) -> Iterable[str]:
        """The Prometheus text format of it."""
        below = 0
        for bound, count in zip((*BUCKETS_S, "+Inf"), self._counts, strict=True):
            below += count
            yield f'{name}_bucket{{le="{bound}"}} {below}'
        yield f"{name}_sum {self._sum_s:.6f}"
        yield f"{name}_count {below}"


class Metrics:
    """Counts requests. `gauges` tells the rest whenever somebody asks: (name, help, [(labels, value)])."""

    Gauge = tuple[str, str, list[tuple[dict[str, str], float]]]

    def __init__(self, gauges: Callable[[], Iterable[Metrics.Gauge]] = lambda: ()) -> None:
        self._gauges = gauges
        self._requests: Counter[tuple[str, int]] = Counter()
        self._authorize = Histogram()
        self._turn = threading.Lock()

    def note(self, endpoint: str, status: int, took_s: float) -> None:
        """Count one request."""
        with self._turn:
            self._requests[endpoint, status] += 1
            if endpoint == "tokens.authorize":
                self._authorize.note(took_s)

    def text(self) -> str:
        """Everything in the Prometheus text format, version 0.0.4."""
        return "\n".join([*self._counted(), *self._measured(), ""])

    def _counted(self) -> list[str]:
        name, spent = "rfid_station_requests_total", "rfid_station_authorize_seconds"
        with self._turn:
            requests = sorted(self._requests.items())
            durations = list(self._authorize.lines(spent))
        lines = [f"# HELP {name} Requests that were answered.", f"# TYPE {name} counter"]
        lines += [
            f"{name}{_labels({'endpoint': endpoint, 'status': str(status)})} {count}"
            for (endpoint, status), count in requests
        ]
        lines += [f"# HELP {spent} How long real-time authorizations took.", f"# TYPE {spent} histogram"]
        return lines + durations

    def _measured(self) -> Iterable[str]:
        for name, words, values in self._gauges():
            yield f"# HELP {name} {words}"
            yield f"# TYPE {name} gauge"
            for labels, value in values:
                yield f"{name}{_labels(labels)} {value:g}"


def _labels(labels: Mapping[str, str]) -> str:
    written = (f'{name}="{_LABEL.sub("_", value)}"' for name, value in labels.items())
    return "{" + ",".join(written) + "}" if labels else ""


def access_line(asked: Asked, reply: Reply, took_s: float) -> dict[str, object]:
    """What the access log tells of one request."""
    line: dict[str, object] = {
        "at": date_time(datetime.now(UTC)),
        "partner": asked.caller.partner if asked.caller else None,
        "method": asked.method[:16],
        "endpoint": asked.endpoint,
        "status": reply.status,
        "ocpi": reply.code or asked.code,
        "bytes": len(reply.body),
        "ms": round(took_s * 1000, 2),
        "request_id": _readable(asked.headers.get(b"x-request-id", b"")),
        "correlation_id": _readable(asked.headers.get(b"x-correlation-id", b"")),
        "uid": asked.uid,
        "trouble": asked.trouble,
    }
    return {name: value for name, value in line.items() if value not in ("", None)}


def _readable(header: bytes) -> str:
    return _PRINTABLE.sub("?", header.decode("latin-1"))[:64]
