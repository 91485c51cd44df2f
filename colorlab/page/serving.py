"""A local server for a page's folder: this machine alone, in a thread, until it is stopped."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


class _Handler(SimpleHTTPRequestHandler):
    # Named here, as some systems know none of these, or others.
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".json": "application/json",
        ".wasm": "application/wasm",
        ".onnx": "application/octet-stream",
        ".webmanifest": "application/manifest+json",
        ".svg": "image/svg+xml",
    }

    def end_headers(self) -> None:
        """With the first two the page is isolated, and WASM may run in several threads. The third
        lets a notebook show it in a frame, where it runs in one."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
        self.send_header("Cache-Control", "no-cache")  # a page that was built anew is seen anew
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


class PageServer:
    """A running server; ``with`` stops it at the end.

    Attributes:
        url: the page's address, with a slash at its end.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", port), partial(_Handler, directory=str(folder))
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until somebody stops it."""
        self._thread.join()

    def stop(self) -> None:
        """Stop it and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> PageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve(folder: str | Path, port: int = 0) -> PageServer:
    """Serve a page's folder on 127.0.0.1.

    The page is isolated there (COOP and COEP), so that WASM may use several threads. In a frame,
    as in a notebook, it runs in one.

    Args:
        port: 0 takes a free one.

    Raises:
        FileNotFoundError: there is no page in the folder.
        OSError: the port can't be had.
    """
    folder = Path(folder)
    if not (folder / "settings.json").is_file():
        raise FileNotFoundError(f"{folder} holds no page; colorlab page -o {folder} builds one")
    try:
        return PageServer(folder, port)
    except OSError as error:
        raise OSError(f"port {port} can't be had ({error.strerror}); 0 takes a free one") from error
