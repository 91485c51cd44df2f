"""colorlab.course.widgets.judge: rounds, time limit, shares and intervals, files."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from colorlab.course.widgets import judge as module
from colorlab.course.widgets._bundle import VIEW
from colorlab.course.widgets._judged import GAP, HEIGHT, NEUTRAL, SHOWN, WIDTH
from colorlab.course.widgets._judging import ROUNDS, Answer, Game, Judgements, Share
from colorlab.course.widgets.judge import Judge, judge_pairs, merge_judgements
from colorlab.show import to_gray, to_uint8
from colorlab.sources.bundled import bundled_photos

REAL, FAKE = (20, 160, 40), (200, 30, 60)
OTHER = {"left": "right", "right": "left"}


def pair(name: str):
    flat = [np.full((128, 128, 3), color, np.uint8) for color in (REAL, FAKE)]
    return (*flat, name)


PAIRS = [pair(f"photo {number}") for number in range(30)]


def game(count: int = 30, seed: int = 0) -> Game:
    return Game([name for *_, name in PAIRS[:count]], np.random.default_rng(seed))


def seen(judge: Judge) -> str:
    """The side with the generated color, as the shown picture has it."""
    pixels = judge._pixels().astype(int)
    sides = [pixels[HEIGHT // 2, (WIDTH + sign * (GAP + SHOWN)) // 2] for sign in (-1, 1)]
    assert sorted(map(tuple, sides)) == sorted([REAL, FAKE])
    return "left" if tuple(sides[0]) == FAKE else "right"


def played(count: int, wrong: int, seconds: float | None = None) -> Judge:
    judge = Judge(PAIRS[:count], seconds, seed=1)
    judge.start()
    for number in range(count):
        side = seen(judge)
        judge.answer(OTHER[side] if number < wrong else side)
    return judge


class TestGame:
    def test_twenty_rounds_each_of_another_photo(self):
        one = game()
        assert len({round_.photo for round_ in one.rounds}) == len(one.rounds) == ROUNDS
        assert len(game(7).rounds) == 7

    def test_both_orders_are_random(self):
        many = [game(20, seed).rounds for seed in range(300)]
        left = [r.generated == "left" for rounds in many for r in rounds]
        assert abs(np.mean(left) - 0.5) < 4 * 0.5 / np.sqrt(len(left))
        first = [rounds[0].photo for rounds in many]
        assert len(set(first)) == 20
        assert game(20, 5).rounds == many[5] != many[6]

    def test_answers_go_by_the_round(self):
        one = game(2)
        rounds = list(one.rounds)
        one.answer(rounds[0].generated)
        assert one.now == rounds[1] and not one.over
        one.answer(OTHER[rounds[1].generated])
        assert one.over and [answer.fooled for answer in one.answers] == [False, True]
        assert [answer.photo for answer in one.answers] == [r.photo for r in rounds]
        with pytest.raises(ValueError, match="start another"):
            one.answer("left")

    def test_refuses_what_is_no_game(self):
        with pytest.raises(ValueError, match='"left" or "right", not \'middle\''):
            game().answer("middle")
        for names in ([], ["a", "a"]):
            with pytest.raises(ValueError, match="a name of its own"):
                Game(names, np.random.default_rng(0))


class TestJudgements:
    ANSWERS = (
        Answer("bee", "left", "left"),
        Answer("lemur", "left", "right"),
        Answer("horse", "right", "right"),
        Answer("door", "left", "right"),
    )

    def test_shares_by_hand(self):
        judged = Judgements((self.ANSWERS,), 1.0)
        assert judged.fooled == Share(2, 4) and judged.left == Share(1, 4)
        assert judged.fooled.value == 0.5
        assert [*judged.by_photo] == ["door", "lemur", "bee", "horse"]

    @pytest.mark.parametrize(("count", "of"), [(0, 20), (6, 20), (20, 20), (320, 1000)])
    def test_the_interval_is_scipys(self, count, of):
        wanted = binomtest(count, of).proportion_ci(method="wilson")
        assert Share(count, of).interval == pytest.approx(tuple(wanted), abs=1e-5)

    def test_words(self):
        assert str(Share(6, 20)) == "6 of 20, 30 % (95 % interval 15 to 52 %)"
        text = str(Judgements((self.ANSWERS, self.ANSWERS[:1]), None))
        assert text.startswith("2 players, no time limit\nfooled: 2 of 5, 40 %")
        assert "by player: 0 to 50 %" in text and text.endswith("\nbee: 0 of 2\nhorse: 0 of 1")


class TestFiles:
    def test_a_class_is_the_sum_of_its_players(self, tmp_path):
        paths = [played(10, wrong).save(tmp_path / f"{wrong}.json") for wrong in (2, 5)]
        both = merge_judgements(paths)
        assert both.fooled == Share(7, 20) and len(both.games) == 2 and both.seconds is None
        assert sum(one.of for one in both.by_photo.values()) == 20
        assert json.loads(paths[0].read_text("utf-8"))["answers"][0].keys() == {
            "photo", "generated", "said",
        }  # fmt: skip

    def test_one_game_comes_back_as_it_was(self, tmp_path):
        judge = played(6, 4)
        assert merge_judgements([judge.save(tmp_path / "me.json")]) == judge.judgements

    def test_refuses_what_is_no_game(self, tmp_path):
        with pytest.raises(ValueError, match="at least one saved game"):
            merge_judgements([])
        with pytest.raises(FileNotFoundError):
            merge_judgements([tmp_path / "none.json"])
        answer = {"photo": "a", "generated": "up", "said": "left"}
        bad = ([], {"seconds": 1}, *({"seconds": 1, "answers": a} for a in ([], [1], [answer])))
        for text in ("{", *map(json.dumps, bad)):
            (tmp_path / "bad.json").write_text(text, encoding="utf-8")
            with pytest.raises(ValueError, match=r"bad\.json holds no judgements"):
                merge_judgements([tmp_path / "bad.json"])

    def test_refuses_to_mix_time_limits(self, tmp_path):
        answers = (Answer("bee", "left", "left"),)
        paths = [
            Judgements((answers,), seconds).write(tmp_path / f"{seconds}.json")
            for seconds in (1.0, None)
        ]
        with pytest.raises(ValueError, match="different time limits"):
            merge_judgements(paths)

    def test_there_is_nothing_to_save_before_an_answer(self, tmp_path):
        with pytest.raises(ValueError, match="Press Start"):
            Judge(PAIRS).save(tmp_path / "me.json")
        assert not list(tmp_path.iterdir())


class TestJudge:
    def test_counts_what_the_buttons_say(self):
        judge = Judge(PAIRS[:3], None, seed=3)
        judge.begin.click()
        for wrong in (False, True, True):
            side = seen(judge)
            judge.buttons[OTHER[side] if wrong else side].click()
        assert judge.phase == "done" and judge.judgements.fooled == Share(2, 3)
        assert judge.words.startswith("Fooled: 2 of 3, 67 % (95 % interval 21 to 94 %). Published")
        assert all(button.disabled for button in judge.buttons.values())

    def test_the_slider_takes_the_arrow_keys(self):
        judge = Judge(PAIRS[:2], None, seed=3)
        judge.keys.value = 1  # before the first round: start
        assert judge.phase == "shown" and judge.keys.value == 0
        judge.keys.value = -1
        judge.keys.value = 1
        assert [answer.said for answer in judge.game.answers] == ["left", "right"]
        assert judge.keys.value == 0 and judge.keys.disabled

    def test_another_game_has_another_order(self):
        judge = played(20, 3)
        before = judge.game.rounds
        judge.begin.click()
        assert judge.game.rounds != before and not judge.game.answers
        assert not judge.keys.disabled and judge.words.startswith("Round 1 of 20")

    def test_without_an_event_loop_there_is_no_limit_and_the_words_say_so(self):
        judge = Judge(PAIRS, 1.0)
        assert "no event loop runs here" in judge.words
        judge.start()
        assert judge.phase == "shown" and judge.limit is None

    def test_words_tell_of_a_habit(self):
        judge = Judge(PAIRS, None, seed=0)
        judge.start()
        for _ in range(ROUNDS):
            judge.answer("left")
        assert "said left: 20 of 20, 100 %" in judge.words
        assert judge.words.endswith("a habit of the hand.")

    def test_nothing_tells_the_side_before_the_end(self):
        judge = Judge(PAIRS, None, seed=0)
        judge.start()
        said = set()
        for _ in range(ROUNDS - 1):
            said.add(judge.caption.value.replace(judge.words.split(":")[0], ""))
            judge.answer("left")
        assert len(said) == 1 and "aria-live" in said.pop()

    def test_refuses_a_time_that_is_none(self):
        for seconds in (0, -1.0, float("nan")):
            with pytest.raises(ValueError, match="more than 0 seconds"):
                Judge(PAIRS, seconds)
        with pytest.raises(ValueError, match="at least one pair"):
            Judge([])

    def test_a_still_picture_stands_beside_it(self):
        judge = Judge(PAIRS[:4], None)
        assert {VIEW, "image/png", "text/plain"} <= set(judge._repr_mimebundle_())
        before = judge.picture()
        assert tuple(before[HEIGHT // 2, WIDTH // 4]) == REAL
        after = played(4, 1).picture()
        assert after.shape[1] == WIDTH and after.shape != before.shape


class TestTimeLimit:
    async def _until(self, condition) -> None:
        end = asyncio.get_running_loop().time() + 30
        while not condition():
            assert asyncio.get_running_loop().time() < end
            await asyncio.sleep(0.005)

    def test_hides_the_pair_behind_neutral_gray(self, monkeypatch):
        monkeypatch.setattr(module, "PAUSE", 0.01)
        phases: list[tuple[str, float]] = []

        async def play() -> Judge:
            judge = Judge(PAIRS[:2], 0.2, seed=0)
            assert "each pair seen for 0.2 s." in judge.words
            judge.caption.observe(
                lambda _: phases.append((judge.phase, asyncio.get_running_loop().time())), "value"
            )
            for _ in range(2):
                judge.answer("left")
                await self._until(lambda: judge.phase == "hidden")
            assert (judge._pixels() == NEUTRAL).all()
            judge.answer("right")
            return judge

        judge = asyncio.run(play())
        names = [phase for phase, _ in phases]
        assert names == ["ready", "shown", "hidden"] * 2 + ["done"]
        times = [at for _, at in phases]
        assert times[2] - times[1] >= 0.19 and times[5] - times[4] >= 0.19
        assert [answer.said for answer in judge.game.answers] == ["left", "right"]

    def test_an_answer_before_the_end_is_not_hidden_in_the_next_round(self, monkeypatch):
        """The clock of the first round must not stop the second one."""
        monkeypatch.setattr(module, "PAUSE", 0.01)

        async def play() -> None:
            judge = Judge(PAIRS[:3], 0.3, seed=0)
            loop = asyncio.get_running_loop()
            judge.start()
            await self._until(lambda: judge.phase == "shown")
            judge.answer("left")
            assert judge.phase == "ready"
            judge.answer("left")  # a slip: no pair is seen yet
            assert len(judge.game.answers) == 1
            await self._until(lambda: judge.phase == "shown")
            began = loop.time()
            await self._until(lambda: judge.phase == "hidden")
            assert loop.time() - began >= 0.29 - 0.01

        asyncio.run(play())

    def test_the_limit_is_written_down(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "PAUSE", 0.01)

        async def play() -> None:
            judge = Judge(PAIRS[:1], 5.0)
            judge.start()
            await self._until(lambda: judge.phase == "shown")
            judge.answer("left")
            judge.save(tmp_path / "me.json")

        asyncio.run(play())
        assert merge_judgements([tmp_path / "me.json"]).seconds == 5.0


class TestPairs:
    def test_real_and_generated_share_their_lightness(self):
        class Sepia:
            def colorize(self, photo):
                gray = to_gray(photo).astype(int)
                return Image.fromarray((gray * (255, 220, 160) // 255).astype(np.uint8))

        paths = bundled_photos("test")[:2]
        pairs = judge_pairs(Sepia(), paths, size=64)
        assert [name for *_, name in pairs] == [path.stem for path in paths]
        for (real, fake, _), path in zip(pairs, paths, strict=True):
            assert real.shape == fake.shape == (64, 64, 3) and real.dtype == fake.dtype == np.uint8
            with Image.open(path) as image:
                side = min(image.size)
                left, top = (image.width - side) // 2, (image.height - side) // 2
                cut = image.convert("RGB").crop((left, top, left + side, top + side))
            wanted = to_uint8(cut.resize((64, 64), Image.Resampling.BICUBIC)).astype(int)
            assert np.abs(real - wanted).mean() < 3
            gray = to_gray(real).astype(int)
            np.testing.assert_array_equal(fake[..., 0], gray[..., 0])
