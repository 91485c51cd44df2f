"""Where the credentials for Kaggle are: the places that Kaggle's client documents, and Colab's.

They are looked for without Kaggle's client, which prints, asks the network or ends the process as
soon as it is imported. What is found is handed over once, and shown to nobody: no message, `repr`
or traceback contains it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

OFFLINE = "COLORLAB_OFFLINE"
TOKEN, USER, KEY = "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"
SETTINGS = "https://www.kaggle.com/settings/api"
HOW_TO_LOG_IN = (
    f'Make a token at {SETTINGS} ("Generate New Token"; an account is free), and save it in the '
    f"file ~/.kaggle/access_token or set the environment variable {TOKEN} to it; on Colab add it "
    f"under Secrets (the key at the left) as {TOKEN}, with access for this notebook."
)


@dataclass(frozen=True)
class Login:
    """Credentials, and where they were found: a variable, a file, or Colab's secrets.

    variables: what Kaggle's client is given in the environment; empty where it reads, and renews,
        its own file (after `kaggle auth login`).
    """

    place: str
    variables: dict[str, str] = field(repr=False)


class LoginMissing(OSError):
    """No credentials for Kaggle that could be used; the message says where they were looked for,
    what is wrong with those that are there, and how to get some."""


def has_credentials() -> bool:
    """Whether a download from Kaggle would find credentials here. Asks no network, and doesn't
    tell whether Kaggle takes them. Where the environment variable COLORLAB_OFFLINE is set, as
    `make notebooks` does, the answer is no: running the lessons as tests downloads nothing."""
    if os.environ.get(OFFLINE):
        return False
    try:
        find_login()
    except LoginMissing:
        return False
    return True


def find_login() -> Login:
    """The first credentials that are whole, in the order of Kaggle's client; Colab's come last.

    Raises `LoginMissing`.
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
    """Every place where something is, with what the client is to be given, or what is wrong."""
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
    """What `kaggle auth login` left; the client reads it itself, and renews what has run out."""
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
