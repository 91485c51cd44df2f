"""colorlab.speed.profiling against works whose parts are known: sleeps, a network, made-up
events."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
import torch
from made import RECIPE
from torch import nn
from torch.profiler import record_function

from colorlab.speed.figures import colors_of_kinds, draw_profiles
from colorlab.speed.op_kinds import ADAM, CONVOLUTION, NORMALIZATION, OUTSIDE
from colorlab.speed.profiling import BOTH, IDLE, LOSSES, Profile, _tally, profile, profile_trainer
from colorlab.training.trainer import Trainer

WAYS = ("forward", "backward")


@pytest.fixture(scope="module")
def trainer_profile() -> tuple[Trainer, Profile]:
    trainer = Trainer(RECIPE, device="cpu")
    batch = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    return trainer, profile_trainer(trainer, batch, steps=2)


def test_all_of_the_time_is_accounted_for() -> None:
    taken = []

    def work() -> None:
        began = time.perf_counter()
        with record_function("reading photos"):
            time.sleep(0.02)
        torch.ones(300, 300) @ torch.ones(300, 300)
        time.sleep(0.01)
        taken.append(time.perf_counter() - began)

    found = profile(work, steps=3, warmup=1)
    wanted = sum(taken[1:]) / 3
    assert len(taken) == 4
    assert found.total == pytest.approx(wanted, rel=0.05)
    assert sum(found.seconds.values()) == pytest.approx(found.total)
    assert sum(found.phases.values()) == pytest.approx(found.total)
    assert 0.02 <= found.seconds["reading photos"] < wanted - 0.01
    assert found.seconds[OUTSIDE] >= 0.01 and found.seconds[CONVOLUTION] > 0
    assert list(found.seconds.values()) == sorted(found.seconds.values(), reverse=True)


def test_a_games_phases_and_kinds(trainer_profile) -> None:
    _, found = trainer_profile
    networks = [f"{n} {way}" for n in ("generator", "discriminator") for way in WAYS]
    assert set(found.phases) == {*networks, "photos to Lab", BOTH, LOSSES, OUTSIDE}
    for phase in networks:
        assert found.table[phase, CONVOLUTION] > 0, phase
    # PatchGAN with one strided layer has one norm, the U-Net's innermost level none.
    assert found.table["generator backward", NORMALIZATION] > 0
    kinds = {kind for phase, kind in found.table if phase == "photos to Lab"}
    assert kinds == {"photos to Lab"}
    assert {kind for phase, kind in found.table if phase == BOTH} == {ADAM}
    order = list(found.phases)
    assert order.index("photos to Lab") < order.index("generator forward")
    assert order.index("discriminator backward") < order.index("generator backward")


def test_the_trainer_is_left_as_it_was(trainer_profile) -> None:
    trainer, _ = trainer_profile
    assert "split" not in vars(trainer) and trainer.split.__func__ is Trainer.split
    for network in (trainer.generator, trainer.discriminator):
        assert not network._forward_hooks and not network._forward_pre_hooks


def test_a_network_that_fails_leaves_no_hooks() -> None:
    network = nn.Conv2d(1, 1, 3)
    with pytest.raises(RuntimeError, match="expected input"):
        profile(lambda: network(torch.zeros(1, 2, 8, 8)), {"it": network}, warmup=0)
    assert not network._forward_hooks and not network._forward_pre_hooks


def test_backward_work_is_that_of_the_network_it_undoes() -> None:
    small, large = nn.Linear(8, 8), nn.Linear(600, 600)

    def work() -> None:
        small(torch.ones(8, 8)).sum().backward()
        large(torch.ones(600, 600)).sum().backward()

    found = profile(work, {"small": small, "large": large}, steps=2)
    assert found.phases["large backward"] > 2 * found.phases["small backward"]
    assert found.phases["large forward"] > found.phases["small forward"]


def event(name, start, cpu=0.0, device=0.0, parent=None, mark=False, number=-1, kind="CPU"):
    return SimpleNamespace(
        name=name,
        time_range=SimpleNamespace(start=start),
        self_cpu_time_total=cpu * 1e6,
        self_device_time_total=device * 1e6,
        cpu_time_total=cpu * 1e6,
        device_time_total=device * 1e6,
        cpu_parent=parent,
        is_user_annotation=mark,
        sequence_nr=number,
        device_type=f"DeviceType.{kind}",
    )


def test_on_a_gpu_the_kernels_count_and_reading_is_what_the_gpu_waits_for() -> None:
    """Made-up events: no GPU is needed, and the sums are known."""
    reading = event("reading photos", 0, cpu=3.0, mark=True)
    forward = event("network: generator", 1, cpu=0.2, mark=True)
    conv = event("aten::cudnn_convolution", 2, cpu=0.1, device=2.0, parent=forward, number=7)
    node = event("autograd::engine::evaluate_function: ConvolutionBackward0", 3, number=7)
    back = event("aten::convolution_backward", 4, cpu=0.1, device=4.0, parent=node)
    kernel = event("sm90_xmma_fprop", 2.5, device=2.0, kind="CUDA")
    events = [back, reading, kernel, forward, conv, node]
    table = _tally(events, 10.0, on_device=True)
    assert table == pytest.approx(
        {
            ("generator forward", CONVOLUTION): 2.0,
            ("generator backward", CONVOLUTION): 4.0,
            ("reading photos", "reading photos"): 3.0,
            (IDLE, IDLE): 1.0,
        }
    )


def test_refusals() -> None:
    with pytest.raises(ValueError, match="steps=0"):
        profile(lambda: None, steps=0)
    with pytest.raises(ValueError, match="does not see what 'mps' computes; profile on the CPU"):
        profile(lambda: None, device="mps")
    network = nn.Linear(2, 2)
    network.compile()
    with pytest.raises(ValueError, match="the generator is compiled.*compile='off'"):
        profile(lambda: None, {"generator": network})


def test_it_writes_nothing_below_the_cell() -> None:
    code = "from colorlab.speed.profiling import profile; profile(lambda: None, steps=1, warmup=0)"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KINETO")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_the_figure_shows_every_phase_on_one_scale(trainer_profile) -> None:
    _, found = trainer_profile
    other = Profile({("reading photos", "reading photos"): 0.4, (OUTSIDE, OUTSIDE): 0.004})
    figure = draw_profiles({"ours": found, "other": other})
    first, second = figure.axes
    assert [label.get_text() for label in first.get_yticklabels()] == list(found.phases)
    assert first.get_xlim() == second.get_xlim() and first.get_xlim()[1] > 400
    widths = sum(bar.get_width() for bar in first.patches)
    assert widths == pytest.approx(found.total * 1000)
    assert "other: 404 ms" in second.get_title(loc="left")
    assert figure.get_figwidth() == 9 and figure.number not in plt.get_fignums()
    assert len(draw_profiles({"one step": found}).axes) == 1


def test_kinds_keep_their_colors() -> None:
    many = colors_of_kinds([CONVOLUTION, "mine", "yours", ADAM])
    assert many[CONVOLUTION] == colors_of_kinds([CONVOLUTION])[CONVOLUTION]
    assert len(set(many.values())) == 4
