"""Downloads from Kaggle, through its official client, that go on wherever they broke off.

The client says who we are and gets the address of the archive, which Kaggle signs for a while. The
bytes are then fetched here and not by the client's own ``dataset_download_files``: its first
request waits for ever on a connection that stands still, and whatever response but 206 a request to
go on gets (an address that has run out, a server's hiccup) makes it write that over what it already
has.

The client is imported here alone. As soon as it is, it logs in, prints, may end the process, and
with VERBOSE=1 prints the credentials: see ``_calm``.

The credentials are looked for in the places that Kaggle's client documents, and in Colab's, without
the client. What is found is handed over once, and goes to nobody: no message, ``repr`` or traceback
contains it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colorlab.sources.resumable import STALL, TRIES, Broken, DownloadError, download_file, in_words

OFFLINE = "COLORLAB_OFFLINE"
TOKEN, USER, KEY = "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"
SETTINGS = "https://www.kaggle.com/settings/api"
HOW_TO_LOG_IN = (
    f'Make a token at {SETTINGS} ("Generate New Token"; an account is free), and save it in the '
    f"file ~/.kaggle/access_token or set the environment variable {TOKEN} to it; on Colab add it "
    f"under Secrets (the key at the left) as {TOKEN}, with access for this notebook."
)
_one_at_a_time = threading.Lock()


def download_archive(
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
    """Fetch the archive of Kaggle's data set ``slug`` ("owner/name") to the file ``target``.

    Args:
        patience: seconds for Kaggle to send the address. The rest, and how it goes on where it
            broke off: see ``colorlab.sources.resumable.download_file``.

    Raises:
        DownloadError, LoginMissing: OSErrors; the download failed, or there are no credentials.
    """
    login = find_login()

    def address() -> str:
        return _address(slug, login, patience)

    return download_file(
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
    results: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def ask() -> None:
        # Nothing of an error leaves this thread but its kind: it, and the client's own variables
        # along its traceback, hold the credentials.
        try:
            results.put(("address", _ask(slug)))
        except SystemExit:
            results.put(("status", 401))
        except BaseException as error:
            results.put(_failure(error, patience))

    # In a thread, because the client sets its requests no time limit.
    with _calm(login):
        threading.Thread(target=ask, name="colorlab-kaggle", daemon=True).start()
        try:
            kind, value = results.get(timeout=patience)
        except queue.Empty:
            kind, value = "broken", f"Kaggle did not respond for {patience:g} s"
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
        response = client.datasets.dataset_api_client.download_dataset(request)
        response.close()
        if not response.history:
            raise ValueError("Kaggle sent no address")
        return response.url


def _failure(error: BaseException, patience: float) -> tuple[str, Any]:
    """What went wrong in the client, without a word of its own."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status is not None and not response.history and status < 500 and status != 429:
        return "status", status
    if status is not None:
        return "broken", f"Kaggle sent {status}" + " (too many requests)" * (status == 429)
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
    help, and its ``exit(1)`` closes standard input, which a notebook or a prompt still needs.
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

    As a ``Login``, whose ``repr`` keeps them to itself: a debugger prints the variables of each
    frame.
    """
    names = ("VERBOSE", "VERBOSE_OUTPUT", TOKEN, USER, KEY)
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ.update(login.variables)
    return Login("the environment", before)


# --- credentials ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Login:
    """Credentials, and where they were found: a variable, a file, or Colab's secrets.

    Args:
        variables: what Kaggle's client gets in the environment; empty where it reads, and renews,
            its own file (after ``kaggle auth login``).
    """

    place: str
    variables: dict[str, str] = field(repr=False)


class LoginMissing(OSError):
    """No credentials for Kaggle that could be used.

    The message says where they were looked for, what is wrong with those that are there, and how to
    get some.
    """


def has_credentials() -> bool:
    """Whether a download from Kaggle would find credentials here.

    Asks no network, and doesn't know whether Kaggle takes them. Where the environment variable
    COLORLAB_OFFLINE is set, as ``make notebooks`` does, the result is False: running the lessons as
    tests downloads nothing.
    """
    if os.environ.get(OFFLINE):
        return False
    try:
        find_login()
    except LoginMissing:
        return False
    return True


def find_login() -> Login:
    """The first credentials that are whole, in the order of Kaggle's client; Colab's come last.

    Raises:
        LoginMissing: there are none that could be used.
    """
    problems = []
    for place, found in _places():
        if isinstance(found, dict):
            return Login(place, found)
        problems.append(found)
    wrong = f" What was found can't be used: {'; '.join(problems)}." if problems else ""
    raise LoginMissing(
        "Kaggle gives its data sets to people with an account, and there are no credentials of one "
        f"here (looked for in {TOKEN}, in {USER} with {KEY}, in ~/.kaggle, and on Colab in the "
        f"secrets).{wrong} {HOW_TO_LOG_IN}"
    )


def _places() -> Iterator[tuple[str, dict[str, str] | str]]:
    """Every place where something is, with what the client is to get, or what is wrong."""
    token = os.environ.get(TOKEN, "").strip()
    if token and _is_file(token):
        yield from _token_file(Path(token))
    elif token:
        yield f"the environment variable {TOKEN}", {TOKEN: token}
    home = Path(os.path.expanduser("~"), ".kaggle")
    for name in ("access_token", "access_token.txt"):
        yield from _token_file(home / name)
    user, key = (os.environ.get(name, "").strip() for name in (USER, KEY))
    if user and key:
        yield f"the environment variables {USER} and {KEY}", {USER: user, KEY: key}
    elif user or key:
        yield "", f"of {USER} and {KEY} only one is set"
    for folder in _folders():
        yield from _key_file(folder / "kaggle.json")
    yield from _renewed_file(home / "credentials.json")
    yield from _colab()


def _folders() -> list[Path]:
    """Where Kaggle's client looks for kaggle.json."""
    home = Path(os.path.expanduser("~"))
    chosen = os.environ.get("KAGGLE_CONFIG_DIR")
    config = os.environ.get("XDG_CONFIG_HOME")
    folders = [home / ".kaggle", (Path(config) if config else home / ".config") / "kaggle"]
    return [*([Path(chosen)] if chosen else []), *folders]


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a token is no path, and may be too long for one
        return False


def _read(path: Path) -> tuple[str, str]:
    """A file's text, and what is wrong with it; both empty where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip(), ""
    except (FileNotFoundError, NotADirectoryError):
        return "", ""
    except OSError as error:
        return "", f"{path} can't be read ({error.strerror})"
    except UnicodeDecodeError:
        return "", f"{path} is no text"


def _token_file(path: Path) -> Iterator[tuple[str, dict[str, str] | str]]:
    text, problem = _read(path)
    if not problem and not text and path.is_file():
        problem = f"{path} is empty"
    if problem or text:
        yield str(path), problem or {TOKEN: text}


def _key_file(path: Path) -> Iterator[tuple[str, dict[str, str] | str]]:
    """kaggle.json: a user name and a key, the older form."""
    text, problem = _read(path)
    values: dict = {}
    if not problem and path.is_file():
        values, problem = _object(path, text)
    if not problem and path.is_file():
        user, key = (str(values.get(name) or "").strip() for name in ("username", "key"))
        if user and key:
            yield str(path), {USER: user, KEY: key}
        else:
            problem = f"{path} has no {'key' if user else 'username'}, or an empty one"
    if problem:
        yield str(path), problem


def _renewed_file(path: Path) -> Iterator[tuple[str, dict[str, str] | str]]:
    """What ``kaggle auth login`` left; the client reads it itself, and renews what has run out."""
    text, problem = _read(path)
    if not problem and path.is_file():
        values, problem = _object(path, text)
        if values.get("refresh_token"):
            yield str(path), {}
        elif not problem:
            problem = f"{path} holds no login; `kaggle auth login` makes a new one"
    if problem:
        yield str(path), problem


def _object(path: Path, text: str) -> tuple[dict, str]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):  # its message could quote the key
        return {}, f"{path} is not valid JSON"
    return (values, "") if isinstance(values, dict) else ({}, f"{path} is no JSON object")


def _colab() -> Iterator[tuple[str, dict[str, str] | str]]:
    try:
        from google.colab import userdata
    except ImportError:
        return
    found = {}
    for name in (TOKEN, USER, KEY):
        try:
            found[name] = str(userdata.get(name) or "").strip()
        except Exception as error:  # its own classes, and others where no notebook asks
            found[name] = ""
            if type(error).__name__ == "NotebookAccessError":
                yield "", f"Colab's secret {name} is closed to this notebook: switch its access on"
        if name == TOKEN and found[name]:
            yield f"Colab's secret {TOKEN}", {TOKEN: found[name]}
            return
    if found[USER] and found[KEY]:
        yield f"Colab's secrets {USER} and {KEY}", {USER: found[USER], KEY: found[KEY]}
