"""The question after an epoch, with somebody at the terminal and with nobody."""

from __future__ import annotations

import os
import pty
import threading
import time
from io import StringIO

import pytest

from colorlab.training.questions import Decision, EpochQuestion, ask_in_terminal

QUESTION = EpochQuestion(3, 120, {"color": 0.125, "generator": 2.0}, 2e-4, 1e-4)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "decision"),
    [
        ("\n\n\n", Decision()),
        ("y\n\n\n", Decision()),
        ("No\n1e-4\n\n", Decision(False, 1e-4, None)),
        ("n\n\n0\n", Decision(False, None, 0.0)),
        ("perhaps\nyes\nfast\n-1\nnan\n3e-4\n\n", Decision(True, 3e-4, None)),
        ("", Decision()),
    ],
)
def test_what_is_typed_is_understood(typed: str, decision: Decision) -> None:
    out = StringIO()
    assert ask_in_terminal(QUESTION, Terminal(typed), out) == decision
    assert "epoch 3 has ended (step 120): color 0.125, generator 2" in out.getvalue()
    assert "generator [0.0002]" in out.getvalue() and "discriminator [0.0001]" in out.getvalue()
    for word in ("perhaps", "fast"):
        assert (word in typed) == (("y or n" if word == "perhaps" else "'fast'") in out.getvalue())


def test_nobody_to_ask_saves_and_says_so() -> None:
    out = StringIO()
    assert ask_in_terminal(QUESTION, StringIO("n\n1\n1\n"), out) == Decision(True, None, None)
    assert "no terminal to ask: saved, the learning rates stay" in out.getvalue()


def test_a_run_that_is_stopped_is_not_kept_waiting() -> None:
    """At a real terminal where nobody types."""
    master, slave = pty.openpty()
    wanted, decisions = threading.Event(), []
    wanted.set()
    question = EpochQuestion(1, 1, {}, 1e-4, 1e-4, wanted=wanted.is_set)
    with os.fdopen(slave, "r") as lines:
        out = StringIO()
        thread = threading.Thread(
            target=lambda: decisions.append(ask_in_terminal(question, lines, out))
        )
        thread.start()
        time.sleep(0.3)
        assert decisions == []
        wanted.clear()
        thread.join(2)
    os.close(master)
    assert decisions == [Decision()]
