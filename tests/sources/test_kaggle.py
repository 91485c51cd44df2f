"""colorlab.sources.kaggle and colorlab.sources.resumable: Kaggle's own client, against a server
that speaks its protocol and fails in every way that a network can."""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
import traceback
from pathlib import Path

import kaggle_server
import pytest
import requests
from faults import full_disk
from kaggle_server import KaggleServer, environment_of, process, serving
from leak_guard import FAKE_KEY, FAKE_TOKEN, FAKE_USER, leaks, leaks_in_files

from colorlab.sources import resumable
from colorlab.sources.kaggle import LoginMissing, download_archive
from colorlab.sources.resumable import DownloadError

SLUG = "arnaud58/landscape-pictures"
DATA = random.Random(0).randbytes(1_500_000)


@pytest.fixture(params=["", "1"], ids=["quiet", "VERBOSE=1"], autouse=True)
def home(tmp_path, monkeypatch, request) -> Path:
    """A home of the test's own, with a token in the environment; all of it also with VERBOSE=1."""
    for name in [name for name in os.environ if name.startswith(("KAGGLE", "XDG"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_API_TOKEN", FAKE_TOKEN)
    monkeypatch.setenv("VERBOSE", request.param)
    return tmp_path


@pytest.fixture
def server(home):
    with serving(DATA) as server:
        yield server
        assert server.strays == []  # the credentials followed no redirect to another host


@pytest.fixture(autouse=True)
def nothing_leaks(home, capfd):
    """Whatever a test here printed or wrote, the credentials are not in it."""
    yield
    printed = capfd.readouterr()
    assert leaks(printed.out + printed.err) == []
    ours = [path for path in home.iterdir() if path.name not in (".kaggle", ".config")]
    assert leaks_in_files(ours) == []


def fetch(home: Path, **settings) -> Path:
    return download_archive(SLUG, home / "a.zip", **{"pause": 0.01, "stall": 0.4, **settings})


def failed(home: Path, words: str, kind: type = DownloadError, **settings) -> str:
    """The download fails with these words; neither message nor traceback hold the credentials."""
    with pytest.raises(kind, match=words) as caught:
        fetch(home, **settings)
    error = caught.value
    text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "fetch(home" in text and leaks(text) == []
    assert kaggle_server.SIGNATURE not in str(error)
    assert "\n" not in str(error) and not (home / "a.zip").exists()
    return str(error)


# --- what works ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["token", "token file", "key", "key file"])
def test_a_whole_download(home, server, monkeypatch, capfd, how):
    (home / ".kaggle").mkdir()
    if how != "token":
        monkeypatch.delenv("KAGGLE_API_TOKEN")
    if how == "token file":
        (home / ".kaggle/access_token").write_text(FAKE_TOKEN + "\n")
    elif how == "key":
        monkeypatch.setenv("KAGGLE_USERNAME", FAKE_USER)
        monkeypatch.setenv("KAGGLE_KEY", FAKE_KEY)
    elif how == "key file":
        text = f'{{"username": "{FAKE_USER}", "key": "{FAKE_KEY}"}}'
        (home / ".kaggle/kaggle.json").write_text(text)
        (home / ".kaggle/kaggle.json").chmod(0o600)
    before, stdin, stdout = dict(os.environ), sys.stdin, sys.stdout
    asked = []
    assert fetch(home, room=lambda *sizes: asked.append(sizes)).read_bytes() == DATA
    assert asked == [(len(DATA), len(DATA))]
    assert server.asked == ["landscape-pictures"] and server.starts == [0]
    assert (dict(os.environ), sys.stdin, sys.stdout) == (before, stdin, stdout)
    printed = capfd.readouterr()
    assert leaks(printed.out + printed.err) == []
    assert printed.out == "" and "1.50M/1.50M" in printed.err and "B/s" in printed.err
    assert {path.name for path in home.iterdir()} <= {".kaggle", ".config", "a.zip"}


def test_cut_at_ten_random_points_it_goes_on_where_it_stopped(home, server, capfd):
    draw = random.Random(1)
    points = [draw.randrange(1, 250_000) for _ in range(10)]
    server.faults = [("cut", point) for point in points]
    assert fetch(home, pause=0.001).read_bytes() == DATA
    assert len(server.starts) == 11 and server.starts == sorted(server.starts)
    lost = [
        start + cut - after
        for start, cut, after in zip(server.starts, points, server.starts[1:], strict=False)
    ]
    assert all(0 <= bytes_lost <= 2**14 for bytes_lost in lost)  # of what came, little is lost
    printed = capfd.readouterr()
    assert "the connection broke; next try in" in printed.err and leaks(str(printed)) == []


@pytest.mark.parametrize(
    "fault", [("cut", 300_000), ("end", 300_000), ("stall", 300_000), ("status", 503)]
)
def test_one_fault_of_each_kind(home, server, fault):
    server.faults = [fault, fault]
    assert fetch(home).read_bytes() == DATA


def test_an_end_that_the_library_did_not_notice(home, server, monkeypatch, capfd):
    """urllib3 before 2.0 takes a connection that ends too early for the end of the answer."""
    read, calls = requests.Response.iter_content, []

    def cut(reply, size=1, **settings):
        if size != resumable._CHUNK:  # an answer that the client reads
            return read(reply, size, **settings)
        calls.append(size)
        return itertools.islice(read(reply, size), 5) if len(calls) == 1 else read(reply, size)

    monkeypatch.setattr(requests.Response, "iter_content", cut)
    assert fetch(home).read_bytes() == DATA
    assert "of 1,500,000 bytes came, and then the end; next try" in capfd.readouterr().err
    assert len(calls) == 2 and server.starts == [0, 5 * calls[0]]


def test_an_address_that_has_run_out_costs_nothing(home, server):
    server.faults = [("cut", 700_000), ("status", 403), ("status", 400), ("status", 503)]
    assert fetch(home).read_bytes() == DATA
    assert server.starts[1] > 500_000


def test_another_call_goes_on_too(home, server):
    server.faults = [("cut", 700_000)] + [("status", 503)] * 2
    words = failed(home, "the server sent 503", tries=2)
    assert "it goes on behind the 688,128 bytes that have come" in words
    assert fetch(home).read_bytes() == DATA
    assert server.starts == [0, 688_128]


def test_a_new_version_of_the_archive_is_fetched_from_its_beginning(home, server):
    server.faults = [("cut", 700_000), ("status", 503)]
    failed(home, "503", tries=1)
    server.data = random.Random(2).randbytes(900_000)
    assert fetch(home).read_bytes() == server.data
    assert server.starts == [0, 0]


@pytest.mark.parametrize("lacking", ["ranges", "tags"])
def test_a_server_that_can_not_go_on_begins_anew(home, server, lacking):
    setattr(server, lacking, False)
    server.faults = [("cut", 700_000)]
    assert fetch(home).read_bytes() == DATA
    assert server.starts == [0, 0]


def test_a_process_that_is_killed_goes_on_where_it_was(home, server):
    server.pace = 0.02
    code = (
        "import sys; from pathlib import Path\n"
        "from colorlab.sources.kaggle import download_archive\n"
        f"download_archive({SLUG!r}, Path(sys.argv[1]))"
    )
    environment = environment_of(home, KAGGLE_API_TOKEN=FAKE_TOKEN, VERBOSE=os.environ["VERBOSE"])
    child = process(server, code, environment, [str(home / "a.zip")])
    partial = home / "a.zip.partial"
    while not (partial.exists() and partial.stat().st_size > 300_000):
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.01)
    child.kill()
    out, err = child.communicate()
    assert leaks(out + err) == [] and not (home / "a.zip").exists()
    kept, server.pace = partial.stat().st_size, 0
    assert fetch(home).read_bytes() == DATA
    assert server.starts[-1] >= kept > 300_000


def test_the_client_may_have_been_imported_in_a_talkative_mood(home, server):
    # It is imported before there are credentials, or it would print them itself.
    code = (
        "import kaggle, os, sys; from pathlib import Path\n"
        "from colorlab.sources.kaggle import download_archive\n"
        "assert '--verbose' in kaggle.KaggleApi.args\n"
        "os.environ['KAGGLE_API_TOKEN'] = sys.argv[2]; download_archive('a/b', Path(sys.argv[1]))"
    )
    child = process(server, code, environment_of(home, VERBOSE="1"), [str(home / "a"), FAKE_TOKEN])
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0 and (home / "a").read_bytes() == DATA
    assert leaks(out + err) == []


# --- what does not -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, ["environment variable KAGGLE_API_TOKEN (401)", "kaggle.com/settings"]),
        (403, ["(403)", f"www.kaggle.com/datasets/{SLUG}", "accept the terms"]),
        (404, [f"no data set {SLUG} (404)", "removed or renamed", "sources.folder"]),
        (418, ["(418)", SLUG]),
        (429, ["Kaggle sent 429 (too many requests)", "Wait a while"]),
        (500, ["Kaggle sent 500", "do the same again"]),
        ("hang", ["Kaggle did not respond for 0.5 s"]),
    ],
)
def test_what_kaggle_refuses(home, server, status, words):
    server.refusal = status
    said = failed(home, "aggle", patience=0.5 if status == "hang" else 60, tries=2)
    assert all(word in said for word in words), said
    assert len(server.asked) == (2 if status in (429, 500, "hang") else 1)
    assert not any(home.glob("a.zip*"))


def test_wrong_credentials(home, server, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_of_somebody_else")
    assert "KAGGLE_API_TOKEN (401)" in failed(home, "does not take the credentials")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "with a \x7f and an ü\udc80")
    failed(home, "client failed|does not take")
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", FAKE_USER)
    monkeypatch.setenv("KAGGLE_KEY", "of-somebody-else")
    assert "KAGGLE_USERNAME and KAGGLE_KEY (401)" in failed(home, "does not take the credentials")
    assert sys.stdin is not None and not sys.stdin.closed


def test_no_credentials(home, server, monkeypatch):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    failed(home, "no credentials .*kaggle.com/settings/api", LoginMissing)
    assert server.asked == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (("stall", 0), "not one byte came for 0.4 s"),
        (("end", 0), "0 of 1,500,000 bytes came|the connection broke"),
        (("cut", 0), "the connection broke"),
        (("status", 503), "the server sent 503"),
    ],
)
def test_what_goes_on_for_ever_is_given_up(home, server, fault, words):
    server.faults = [fault] * 3
    failed(home, f"failed, because ({words}).*do the same again", tries=3)
    assert server.faults == []


def test_no_size_no_download(home, server):
    server.lengths = False
    failed(home, "doesn't say how large the file is", tries=1)


def test_no_network(home):
    with serving() as server:
        closed = server.address
    import kagglesdk.kaggle_env as environment

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(environment._env_to_endpoint, environment.KaggleEnv.PROD, closed)
        failed(home, r"can't be reached from here \(no network", tries=2)
        elsewhere = "http://no-such-host.invalid"
        patch.setitem(environment._env_to_endpoint, environment.KaggleEnv.PROD, elsewhere)
        failed(home, "can't be reached from here|the connection broke", tries=1)


def test_no_client(home, server, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "kaggle"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "six", None)
    monkeypatch.setitem(sys.modules, "kaggle", None)
    failed(home, "can't be imported .*pip install kaggle six")


def test_a_full_disk_keeps_what_has_come(home, server, monkeypatch):
    with full_disk(monkeypatch):
        said = failed(home, "No space left on device")
    assert "Make room there" in said and "behind the 507,904 bytes" in said
    assert fetch(home).read_bytes() == DATA
    assert server.starts == [0, 507_904]


def test_the_caller_may_refuse_the_size(home, server):
    def room(left: int, size: int) -> None:
        raise DownloadError(f"{left} of {size} is too much")

    failed(home, "^1500000 of 1500000 is too much$", room=room)
    assert not any(home.glob("a.zip*"))


def test_a_home_that_can_not_be_written(home, server):
    """Kaggle's client wants a folder of its own there, as soon as it is imported."""
    (home / "file").write_text("")
    code = (
        "import sys; from pathlib import Path\n"
        "from colorlab.sources.kaggle import download_archive\n"
        "try: download_archive('a/b', Path(sys.argv[1]))\n"
        "except OSError as error: print(error)"
    )
    environment = environment_of(home / "file", KAGGLE_API_TOKEN=FAKE_TOKEN)
    child = process(server, code, environment, [str(home / "a")])
    out, err = child.communicate(timeout=60)
    assert "Set KAGGLE_CONFIG_DIR to a folder that can be written" in out and "\n" in out
    assert leaks(out + err) == [] and err == ""
    environment["KAGGLE_CONFIG_DIR"] = str(home)
    child = process(server, code, environment, [str(home / "a")])
    child.communicate(timeout=60)
    assert (home / "a").read_bytes() == DATA
    del environment["HOME"], environment["KAGGLE_CONFIG_DIR"]  # then the system knows a home
    environment["XDG_CONFIG_HOME"] = str(home)
    child = process(server, code, environment, [str(home / "b")])
    child.communicate(timeout=60)
    assert (home / "b").read_bytes() == DATA


def test_a_note_that_is_damaged_is_not_relied_on(home, server):
    (home / "a.zip.partial").write_bytes(b"of something else")
    for text in ("", "{", "[]", '{"name": 1}', f'{{"name": "{SLUG}", "version": "x"}}'):
        (home / "a.zip.partial.json").write_text(text)
        assert resumable._known(SLUG, home / "a.zip.partial.json") is None
    assert fetch(home).read_bytes() == DATA
    assert server.starts == [0]
    assert isinstance(server, KaggleServer)
