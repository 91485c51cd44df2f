"""Downloads from Kaggle, through its official client, that go on wherever they broke off.

The client says who we are and gets the address of the archive, which Kaggle signs for a while. The
bytes are then fetched here and not by the client's own `dataset_download_files`: its first request
waits for ever on a connection that stands still, and whatever answer but 206 a request to go on
gets (an address that has run out, a server's hiccup) makes it write that over what it already has.

The client is imported here alone. As soon as it is, it logs in, prints, may end the process, and
with VERBOSE=1 prints the credentials: see `_calm`.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from colorlab.sources.kaggle_login import HOW_TO_LOG_IN, KEY, TOKEN, USER, Login, find_login
from colorlab.sources.resumable import STALL, TRIES, Broken, DownloadError, in_words
from colorlab.sources.resumable import download as resume

_one_at_a_time = threading.Lock()


def download(
    slug: str,
    target: Path,
    *,
    room: Callable[[int, int], object] = lambda left, size: None,
    stall: float = STALL,
    patience: float = STALL,
    tries: int = TRIES,
    pause: float = 1.0,
    progress: bool = True,
) -> Path:
    """Fetch the archive of Kaggle's data set `slug` ("owner/name") to the file `target`.

    patience: seconds for Kaggle to answer who asks for the address. The rest, and how it goes on
        where it broke off: see `colorlab.sources.resumable.download`.

    Raises `DownloadError` and `colorlab.sources.kaggle_login.LoginMissing`, which are OSErrors.
    """
    login = find_login()

    def address() -> str:
        return _address(slug, login, patience)

    return resume(
        slug,
        address,
        target,
        room=room,
        stall=stall,
        tries=tries,
        pause=pause,
        progress=progress,
    )


def _address(slug: str, login: Login, patience: float) -> str:
    """The address where the archive of a data set lies for a while, signed by Kaggle."""
    answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def ask() -> None:
        # Nothing of an error leaves this thread but its kind: it, and the client's own variables
        # along its traceback, hold the credentials.
        try:
            answers.put(("address", _ask(slug)))
        except SystemExit:
            answers.put(("status", 401))
        except BaseException as error:
            answers.put(_told(error, patience))

    # In a thread, because the client sets its requests no time limit.
    with _calm(login):
        threading.Thread(target=ask, name="colorlab-kaggle", daemon=True).start()
        try:
            kind, value = answers.get(timeout=patience)
        except queue.Empty:
            kind, value = "broken", f"Kaggle did not answer for {patience:g} s"
    if kind == "address":
        return value
    if kind == "broken":
        raise Broken(value)
    raise DownloadError(value if kind == "failed" else _refused(slug, login, value))


def _ask(slug: str) -> str:
    from kaggle.api.kaggle_api_extended import KaggleApi
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

    api = KaggleApi()
    api.args = []  # "--verbose", if the client was imported with VERBOSE=1 before
    api.authenticate()
    request = ApiDownloadDatasetRequest()
    request.owner_slug, request.dataset_slug = slug.split("/")
    with api.build_kaggle_client() as client:
        answer = client.datasets.dataset_api_client.download_dataset(request)
        answer.close()
        if not answer.history:
            raise ValueError("Kaggle sent no address")
        return answer.url


def _told(error: BaseException, patience: float) -> tuple[str, Any]:
    """What went wrong in the client, without a word of its own."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status is not None and not response.history and status < 500 and status != 429:
        return "status", status
    if status is not None:
        return "broken", f"Kaggle answered {status}" + " (too many requests)" * (status == 429)
    if isinstance(error, ImportError):
        return "failed", (
            f"Kaggle's client can't be imported ({error.name} is missing). Install it: "
            "pip install kaggle six"
        )
    import requests

    if isinstance(error, requests.RequestException) and not isinstance(error, ValueError):
        return "broken", in_words(error, patience)
    if isinstance(error, OSError) and error.filename is not None:
        return "failed", (
            f"Kaggle's client needs its folder {error.filename} and can't have it "
            f"({error.strerror}). Set KAGGLE_CONFIG_DIR to a folder that can be written."
        )
    return "failed", (
        f"Kaggle's client failed ({type(error).__name__}). Try once more, and with a newer client: "
        "pip install -U kaggle. Credentials with odd characters in them are another cause."
    )


def _refused(slug: str, login: Login, status: int) -> str:
    page = f"https://www.kaggle.com/datasets/{slug}"
    if status == 401:
        return (
            f"Kaggle does not take the credentials from {login.place or 'here'} (401): they are "
            f"wrong, or have run out or been revoked. {HOW_TO_LOG_IN}"
        )
    if status == 403:
        return (
            f"Kaggle does not give {slug} to your account (403). Open {page}, sign in, accept the "
            "terms if it asks for it (new accounts: verify the phone number), then do the same "
            "again. If the page does not open there either, the set is no longer public."
        )
    if status == 404:
        return (
            f"Kaggle has no data set {slug} (404). See whether {page} still opens: it may have "
            "been removed or renamed. A copy of your own is opened with sources.folder(PATH)."
        )
    return f"Kaggle refused the download of {slug} ({status}). See whether {page} opens."


@contextlib.contextmanager
def _calm(login: Login) -> Iterator[None]:
    """The client among what it can't spoil, with these credentials and no others in sight.

    With VERBOSE it would print the Authorization header; without credentials it prints pages of
    help, and its `exit(1)` closes standard input, which a notebook or a prompt still needs.
    """
    with _one_at_a_time:
        before = _exchanged(login)
        stdin, sys.stdin = sys.stdin, io.StringIO()
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        finally:
            sys.stdin = stdin
            _exchanged(before)


def _exchanged(login: Login) -> Login:
    """Put these variables into the environment for all that the client reads; give what was there.

    As a `Login`, whose `repr` keeps them to itself: a debugger prints the variables of each frame.
    """
    names = ("VERBOSE", "VERBOSE_OUTPUT", TOKEN, USER, KEY)
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ.update(login.variables)
    return Login("the environment", before)
