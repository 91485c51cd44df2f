"""colorlab.course.widgets.epochs: a thread asks, the test clicks."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from colorlab.course.widgets._bundle import VIEW
from colorlab.course.widgets.epochs import EpochButtons, read_fields
from colorlab.training.questions import Decision, EpochQuestion

QUESTION = EpochQuestion(3, 75, {"color": 0.12}, 2e-4, 1e-4)


class Asking:
    """A run's thread that asks and keeps the answer."""

    def __init__(self, buttons: EpochButtons, question: EpochQuestion = QUESTION) -> None:
        self.choice: Decision | None = None
        self.thread = threading.Thread(target=self._ask, args=(buttons, question), daemon=True)
        self.thread.start()
        end = time.monotonic() + 5
        while buttons.save.disabled and self.thread.is_alive():
            assert time.monotonic() < end
            time.sleep(0.01)

    def _ask(self, buttons: EpochButtons, question: EpochQuestion) -> None:
        self.choice = buttons(question)

    def result(self) -> Decision | None:
        self.thread.join(5)
        assert not self.thread.is_alive()
        return self.choice


def test_fields_as_they_were_change_nothing():
    same = {"generator": "0.0002", "discriminator": " "}
    assert read_fields(QUESTION, True, same) == Decision(True, None, None)
    rates = {"generator": "1e-5", "discriminator": "0.0001"}
    assert read_fields(QUESTION, False, rates) == Decision(False, 1e-5, None)


@pytest.mark.parametrize("text", ["fast", "-1", "nan", "inf"])
def test_what_is_no_rate_is_named(text):
    with pytest.raises(ValueError, match=f"discriminator: '{text}' is no learning rate"):
        read_fields(QUESTION, True, {"generator": "", "discriminator": text})


def test_nothing_can_be_clicked_before_the_question():
    buttons = EpochButtons()
    assert buttons.save.disabled and buttons.rates["generator"].disabled
    buttons.save.click()
    assert buttons.question is None and "first epoch" in buttons.message.value


@pytest.mark.parametrize("save", [True, False])
def test_a_click_answers(save):
    buttons = EpochButtons()
    asking = Asking(buttons)
    assert "Epoch 3 has ended (step 75): color 0.12" in buttons.message.value
    assert buttons.rates["generator"].value == "0.0002"
    buttons.rates["discriminator"].value = "5e-5"
    (buttons.save if save else buttons.go_on).click()
    assert asking.result() == Decision(save, None, 5e-5)
    assert buttons.save.disabled and ("not saved" in buttons.message.value) is not save
    assert "The discriminator's rate is 5e-05 from here on." in buttons.message.value.replace(
        "&#x27;", "'"
    )


def test_a_wrong_rate_is_said_and_the_question_stays_open():
    buttons = EpochButtons()
    asking = Asking(buttons)
    buttons.rates["generator"].value = "<fast>"
    buttons.save.click()
    assert asking.thread.is_alive() and not buttons.save.disabled
    assert (
        "&lt;fast&gt;" in buttons.message.value and "is no learning rate" in buttons.message.value
    )
    buttons.rates["generator"].value = "1e-4"
    buttons.save.click()
    assert asking.result() == Decision(True, 1e-4, None)


def test_a_stopped_run_is_not_kept_waiting():
    wanted = [True]
    buttons = EpochButtons()
    asking = Asking(buttons, EpochQuestion(1, 5, wanted=lambda: wanted[0]))
    wanted[0] = False
    assert asking.result() == Decision()
    assert "stopped" in buttons.message.value and buttons.save.disabled


def test_nobody_there():
    buttons = EpochButtons(patience=0.3)
    assert Asking(buttons).result() == Decision()
    assert "No answer within 0.3 seconds" in buttons.message.value


def test_the_notebooks_own_thread_is_refused():
    with pytest.raises(RuntimeError, match=r"run\.start\(\)"):
        EpochButtons()(QUESTION)


def test_it_asks_again():
    buttons = EpochButtons()
    for epoch in (1, 2):
        asking = Asking(buttons, EpochQuestion(epoch, 5 * epoch, generator_rate=0.1))
        buttons.save.click()
        assert asking.result() == Decision()


def test_the_bundle_holds_a_picture():
    buttons = EpochButtons()
    bundle = buttons._repr_mimebundle_()
    assert bundle[VIEW]["model_id"] == buttons.box.model_id
    assert bundle["text/plain"] == "EpochButtons(no epoch has ended yet)"
    before = buttons.picture()
    buttons.question = QUESTION
    after = buttons.picture()
    assert before.shape == after.shape and (before != after).any()
    assert (after[:, -3:] == after[0, 0]).all()  # the text has room
    assert after.dtype == np.uint8
