"""A JupyterLab server of the tests' own, on a copy of the lessons."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
START, STOP = 180.0, 20.0  # seconds; a busy machine is no bug
FORGOTTEN = 1800  # seconds without use after which the server ends by itself


def copy_lessons(folder: Path) -> None:
    """The notebooks as if they had never run: then all that stands in them was made here."""
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".*"))
    for path in folder.glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["metadata"].pop("widgets", None)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell.update(outputs=[], execution_count=None)
        path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")


def environment(private: Path) -> dict[str, str]:
    """Ours, without what the user has set up for Jupyter, and with every folder in `private`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "IPYTHON"))}
    own = {
        name: str(private / name.lower())
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "IPYTHONDIR",
            "COLORLAB_STATE",
        )
    }
    return (
        kept
        | own
        | {
            "JUPYTER_CONFIG_PATH": str(ROOT / ".jupyter"),  # no news pop-up, as in `make lab`
            "COLORLAB_DATA": str(ROOT / "data"),
            # The notebooks lie elsewhere; the kernel must still get the colorlab of this checkout.
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LabServer:
    """JupyterLab on a free port, as a context: it is gone afterwards, whatever happened.

    Args:
        private: an empty folder for the lessons' copy and all that Jupyter writes.

    Raises RuntimeError, with the end of its log, where the server does not start.
    """

    def __init__(self, private: Path) -> None:
        self.lessons, self.log = private / "notebooks", private / "server.log"
        self.token, self.port = secrets.token_hex(16), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = environment(private)
        copy_lessons(self.lessons)

    def __enter__(self) -> LabServer:
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.lessons,
            "IdentityProvider.token": self.token,
            # Where this process is killed before it can clean up, the server goes a little later.
            "ServerApp.shutdown_no_activity_timeout": FORGOTTEN,
            "MappingKernelManager.cull_idle_timeout": FORGOTTEN,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *arguments],
                cwd=self.lessons,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own, to be ended as a whole
            )
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def api(self, path: str, method: str = "GET") -> Any:
        """The response of Jupyter's REST interface. Raises OSError where there is none."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or "null")

    def kernel(self, lesson: str) -> dict[str, Any]:
        """The kernel of an open lesson ("00_first_colors.ipynb"); empty while it has none."""
        sessions = self.api("sessions")
        return next((one["kernel"] for one in sessions if one["path"] == lesson), {})

    def close(self, lesson: str) -> None:
        """End a lesson's kernel, so that the next lesson has the machine for itself."""
        for session in self.api("sessions"):
            if session["path"] == lesson:
                self.api(f"sessions/{session['id']}", "DELETE")

    def _wait(self) -> None:
        end = time.monotonic() + START
        while self.process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):
                self.api("status")
                return
            time.sleep(0.1)
        said = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"JupyterLab did not start within {START:g} s:\n{said}")

    def _stop(self) -> None:
        """Ask it to end, since then it ends its kernels too; then make sure."""
        with contextlib.suppress(OSError, ValueError):
            self.api("shutdown", "POST")
        for force in (None, signal.SIGTERM, signal.SIGKILL):
            if force is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, force)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP)
                return
