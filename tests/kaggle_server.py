"""A small server on the loopback that speaks Kaggle's protocol, and can be told to fail.

Kaggle's client, the real one, sends it POST requests with the credentials; the answer to
DownloadDataset is a redirect to a signed address, from where the archive is fetched with GET
requests that carry no credentials but may ask for a range.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from leak_guard import FAKE_KEY, FAKE_TOKEN, FAKE_USER

ROOT = Path(__file__).resolve().parent.parent
SIGNATURE = "X-Goog-Signature=5161ed"
LATER = "Wed, 01 Jan 2025 00:00:00 GMT"
ENDPOINT = "import kagglesdk.kaggle_env as ke; ke._env_to_endpoint[ke.KaggleEnv.PROD] = {!r}\n"


class KaggleServer(ThreadingHTTPServer):
    """Serves `data` as the archive of every data set.

    faults: what befalls the next requests for the archive, one each: ("cut", n) breaks the
        connection after n bytes of the answer, ("stall", n) stands still there, ("end", n) ends it
        properly there, ("status", n) answers that status instead; None: nothing.
    refusal: a status with which requests for the address are answered, or "hang".
    """

    daemon_threads = True

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.tag = data, ""
        self.faults: list[tuple[str, int] | None] = []
        self.refusal: int | str | None = None
        self.ranges, self.tags, self.lengths, self.heeds = True, True, True, True
        self.asked: list[str] = []  # requests for the address
        self.starts: list[int] = []  # first byte of each answer with bytes
        self.pace = 0.0  # seconds a block
        self.strays: list[str] = []  # credentials that were sent where they don't belong
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def storage(self) -> str:
        """Another host than `address`, as at Kaggle: credentials must not follow there."""
        return f"http://localhost:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: KaggleServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.path.rpartition("/")[2]
        sent = self.headers.get("Authorization", "")
        basic = base64.b64encode(f"{FAKE_USER}:{FAKE_KEY}".encode()).decode()
        if kind == "IntrospectToken":
            good = json.loads(body)["token"] == FAKE_TOKEN
            self._json(200, {"active": good, "username": FAKE_USER if good else ""})
            return
        self.server.asked.append(json.loads(body)["datasetSlug"])
        if self.server.refusal == "hang":
            self.server.closing.wait(30)
        elif sent not in (f"Bearer {FAKE_TOKEN}", f"Basic {basic}"):
            self._json(401, {"code": 401, "message": f"Unauthenticated: {sent}"})
        elif self.server.refusal:
            self._json(self.server.refusal, {"code": self.server.refusal, "message": sent})
        else:
            self.send_response(302)
            self.send_header("Location", f"{self.server.storage}/archive.zip?{SIGNATURE}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _json(self, status: int, value: dict) -> None:
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        server = self.server
        if "Authorization" in self.headers:
            server.strays.append(self.headers["Authorization"])
        if self.headers.get("Accept-Encoding") != "identity":
            # The client follows the redirect; that answer is closed, and asked for once more.
            self._head(200, len(server.data))
            with contextlib.suppress(OSError):
                self.wfile.write(server.data[: 2**12])
            self.close_connection = True
            return
        fault, limit = (server.faults.pop(0) if server.faults else None) or ("", 0)
        if fault == "status":
            self._json(limit, {"code": limit})
            return
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, self._tag(), LATER)
        same = same or not server.heeds  # a server may overlook If-Range
        first = int(span[1]) if span and same and server.ranges else 0
        server.starts.append(first)
        self._head(206 if first else 200, len(server.data) - first, first)
        rest = server.data[first:]
        if fault:
            self.wfile.write(rest[:limit])
            self.wfile.flush()
            if fault == "stall":
                server.closing.wait(30)
            elif fault == "cut":
                self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        for begin in range(0, len(rest), 2**14):
            self.wfile.write(rest[begin : begin + 2**14])
            time.sleep(server.pace)

    def _tag(self) -> str:
        return f'"{hashlib.md5(self.server.data).hexdigest()}"'

    def _head(self, status: int, length: int, first: int = 0) -> None:
        self.send_response(status)
        if self.server.lengths:
            self.send_header("Content-Length", str(length))
        if self.server.tags:
            self.send_header("ETag", self._tag())
        self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            total = len(self.server.data)
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        self.end_headers()


@contextlib.contextmanager
def serving(data: bytes = b"") -> Iterator[KaggleServer]:
    """A server, and this process's Kaggle client sent to it."""
    import kagglesdk.kaggle_env as environment

    server = KaggleServer(data)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    before = environment._env_to_endpoint[environment.KaggleEnv.PROD]
    environment._env_to_endpoint[environment.KaggleEnv.PROD] = server.address
    try:
        yield server
    finally:
        environment._env_to_endpoint[environment.KaggleEnv.PROD] = before
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def environment_of(home: Path, **variables: str) -> dict[str, str]:
    """The environment of a learner whose home is `home`, with no credentials but those given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("KAGGLE", "VERBOSE", "XDG"))}
    paths = {"PYTHONPATH": str(ROOT), "HOME": str(home), "COLORLAB_DOWNLOADS": str(home / "sets")}
    return {**kept, **paths, "OMP_NUM_THREADS": "1", **variables}


def process(
    server: KaggleServer, code: str, environment: dict[str, str], arguments: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """A process of its own whose Kaggle client talks to the server."""
    return subprocess.Popen(
        [sys.executable, "-c", ENDPOINT.format(server.address) + code, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
