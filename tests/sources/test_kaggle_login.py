"""colorlab.sources.kaggle: each place that Kaggle's client documents, and what is wrong with
it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
from kaggle_server import environment_of
from leak_guard import FAKE_KEY, FAKE_TOKEN, FAKE_USER, leaks

from colorlab.sources.kaggle import LoginMissing, find_login, has_credentials

TOKEN = {"KAGGLE_API_TOKEN": FAKE_TOKEN}
PAIR = {"KAGGLE_USERNAME": FAKE_USER, "KAGGLE_KEY": FAKE_KEY}
KEY_FILE = json.dumps({"username": FAKE_USER, "key": FAKE_KEY})


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("KAGGLE", "XDG", "COLORLAB_OFF"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kaggle").mkdir()
    return tmp_path


def secrets(monkeypatch, found: dict[str, str], closed: tuple[str, ...] = ()) -> list[str]:
    """Pretend to be on Colab, with these secrets; returns the names that are asked for."""

    class NotebookAccessError(Exception):
        pass

    class SecretNotFoundError(Exception):
        pass

    asked = []

    def get(name: str) -> str:
        asked.append(name)
        if name in closed:
            raise NotebookAccessError(FAKE_KEY)
        if name not in found:
            raise SecretNotFoundError(name)
        return found[name]

    google, colab = types.ModuleType("google"), types.ModuleType("google.colab")
    google.__path__, colab.userdata = [], types.SimpleNamespace(get=get)
    monkeypatch.setitem(sys.modules, "google", google)
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    return asked


def test_nothing_anywhere(home):
    assert not has_credentials()
    with pytest.raises(LoginMissing, match="no credentials.*settings/api.*~/.kaggle/access_token"):
        find_login()


@pytest.mark.parametrize(
    ("files", "variables", "expected"),
    [
        ({}, TOKEN, TOKEN),
        ({"token.txt": f" {FAKE_TOKEN}\n"}, {"KAGGLE_API_TOKEN": "token.txt"}, TOKEN),
        ({".kaggle/access_token": FAKE_TOKEN + "\n"}, {}, TOKEN),
        ({".kaggle/access_token.txt": FAKE_TOKEN}, {}, TOKEN),
        ({}, PAIR, PAIR),
        ({".kaggle/kaggle.json": KEY_FILE}, {}, PAIR),
        ({".config/kaggle/kaggle.json": KEY_FILE}, {}, PAIR),
        ({"xdg/kaggle/kaggle.json": KEY_FILE}, {"XDG_CONFIG_HOME": "xdg"}, PAIR),
        ({"conf/kaggle.json": KEY_FILE}, {"KAGGLE_CONFIG_DIR": "conf"}, PAIR),
        ({".kaggle/credentials.json": '{"refresh_token": "x"}'}, {}, {}),
        # The order is that of Kaggle's client.
        ({".kaggle/kaggle.json": KEY_FILE}, TOKEN, TOKEN),
        ({".kaggle/access_token": FAKE_TOKEN}, PAIR, TOKEN),
        ({".kaggle/kaggle.json": '{"username": "b", "key": "c"}'}, PAIR, PAIR),
        ({".kaggle/kaggle.json": KEY_FILE, ".kaggle/credentials.json": "{}"}, {}, PAIR),
        # What can't be used is passed over.
        ({".kaggle/access_token": " \n", ".kaggle/kaggle.json": KEY_FILE}, {}, PAIR),
        ({".kaggle/kaggle.json": "{", ".config/kaggle/kaggle.json": KEY_FILE}, {}, PAIR),
        ({".kaggle/kaggle.json": KEY_FILE}, {"KAGGLE_USERNAME": "alone"}, PAIR),
    ],
)
def test_places(home, monkeypatch, files, variables, expected):
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    monkeypatch.chdir(home)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    login = find_login()
    assert login.variables == expected and has_credentials()
    assert login.place and leaks(repr(login)) == [] == leaks(str(login))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("kaggle.json", "", "kaggle.json is not valid JSON"),
        ("kaggle.json", KEY_FILE[:-1], "kaggle.json is not valid JSON"),
        ("kaggle.json", f'["{FAKE_KEY}"]', "kaggle.json is no JSON object"),
        ("kaggle.json", "[" * 100_000, "kaggle.json is not valid JSON"),
        ("kaggle.json", '{"username": "a", "key": ""}', "kaggle.json has no key, or an empty one"),
        ("kaggle.json", f'{{"key": "{FAKE_KEY}"}}', "kaggle.json has no username"),
        ("kaggle.json", '{"username": null, "key": " "}', "kaggle.json has no username"),
        ("access_token", "\n", "access_token is empty"),
        ("credentials.json", "{}", "credentials.json holds no login; `kaggle auth login`"),
    ],
)
def test_what_is_wrong_is_reported(home, name, text, words):
    (home / ".kaggle" / name).write_text(text)
    assert not has_credentials()
    with pytest.raises(LoginMissing, match=words) as caught:
        find_login()
    assert str(home / ".kaggle" / name) in str(caught.value)
    assert leaks(str(caught.value)) == [] and "\n" not in str(caught.value)


def test_half_of_a_pair_a_folder_and_no_text(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_KEY", FAKE_KEY)
    (home / ".kaggle/kaggle.json").mkdir()
    (home / ".kaggle/access_token").write_bytes(b"\xff\xfe")
    with pytest.raises(LoginMissing) as caught:
        find_login()
    for words in ("only one is set", "kaggle.json can't be read", "access_token is no text"):
        assert words in str(caught.value)
    assert leaks(str(caught.value)) == []


def test_a_file_that_must_not_be_read(home, monkeypatch):
    path = home / ".kaggle/kaggle.json"
    path.write_text(KEY_FILE)
    read = Path.read_text

    def refuse(self, *args, **kwargs):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return read(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(LoginMissing, match=r"kaggle.json can't be read \(Permission denied\)"):
        find_login()


def test_colabs_secrets(home, monkeypatch):
    asked = secrets(monkeypatch, TOKEN)
    assert find_login().variables == TOKEN and asked == ["KAGGLE_API_TOKEN"]
    assert "Colab's secret KAGGLE_API_TOKEN" in find_login().place
    secrets(monkeypatch, PAIR)
    assert find_login().variables == PAIR
    secrets(monkeypatch, {"KAGGLE_USERNAME": FAKE_USER})
    assert not has_credentials()
    secrets(monkeypatch, TOKEN, closed=("KAGGLE_API_TOKEN",))
    with pytest.raises(
        LoginMissing, match="closed to this notebook: switch its access on"
    ) as caught:
        find_login()
    assert leaks(str(caught.value)) == []
    asked = secrets(monkeypatch, TOKEN)  # not asked, with a window, for what is found elsewhere
    monkeypatch.setenv("KAGGLE_API_TOKEN", FAKE_TOKEN)
    assert has_credentials() and asked == []


def test_where_the_lessons_run_as_tests_nothing_would_be_downloaded(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", FAKE_TOKEN)
    assert has_credentials()
    monkeypatch.setenv("COLORLAB_OFFLINE", "1")
    assert not has_credentials()


def test_asking_imports_no_client_and_touches_no_disk(home):
    code = (
        "import sys; from colorlab.sources import has_credentials; print(has_credentials())\n"
        "print({'kaggle', 'kagglesdk', 'requests', 'torch'} & set(sys.modules))"
    )
    (home / "empty").mkdir()
    for variables, expected in ({}, "False"), (TOKEN, "True"):
        environment = environment_of(home / "empty", **variables)
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert done.stdout.split("\n")[:2] == [expected, "set()"], done.stderr
    assert list((home / "empty").iterdir()) == []
