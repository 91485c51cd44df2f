"""What a GPU would run, rehearsed on a CPU: fp16 with its scaler, compiled networks, tensors of a
step all on one device, memory that does not suffice, and algorithms that give the same bits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from made import RECIPE, same, weights, with_
from pretended_gpu import MixedDevices, pretended_gpu, trainer_on_gpu
from torch import Tensor, nn

from colorlab import palette
from colorlab.devices import CUBLAS_WORKSPACE
from colorlab.layers import Noisy
from colorlab.photos.folder import PhotoFolder
from colorlab.recipes.presets import RECIPES
from colorlab.recipes.recipe import Recipe, Stage
from colorlab.training import trainer as trainers
from colorlab.training.run import OutOfMemory, Run
from colorlab.training.trainer import Trainer

FOR_GPUS = ("encoder-256", "pix2pix-256")


def small(recipe: Recipe, size: int = 64) -> Recipe:
    """The recipe with all its choices, on networks and crops that a test can afford."""
    return with_(
        recipe.with_size(size).with_batch(2),
        generator={"base": 4, "cap": 8, "widths": (8, 8, 8, 4)},
        discriminator={"base": 4},
        optimization={"precision": "fp32"},
    )


@pytest.fixture(scope="module")
def larger(photos: Path) -> Tensor:
    return torch.stack([PhotoFolder(photos, size=64)[i] for i in range(2)])


# --- the recipes for GPUs -------------------------------------------------------------------------


@pytest.mark.parametrize("name", FOR_GPUS)
def test_a_recipe_for_gpus_takes_three_steps_on_a_cpu(name: str, photos: Path) -> None:
    whole = RECIPES[name]
    assert {stage.image_size for stage in whole.stages} == {256} and "GPU" in whole.about
    recipe = with_(whole.with_size(64).with_batch(2).with_steps(3), discriminator={"base": 8})
    recipe = with_(recipe, generator={"base": 8, "cap": 32, "widths": (16, 16, 8, 8)})
    run = Run(recipe, photos, device="cpu", progress=False)
    before = weights(run.trainer.discriminator)
    history = run.train()
    kinds = [recipe.stages[row["stage"]].kind for row in history]
    wanted = ["pretrain", "pretrain", "adversarial"] if name == "encoder-256" else kinds
    assert kinds == wanted and len(kinds) == 3
    assert all(torch.isfinite(torch.tensor(list(row.values()))).all() for row in history)
    assert ("perceptual" in history[0]) == (name == "encoder-256")
    assert not same(weights(run.trainer.discriminator), before)


def test_both_recipes_for_gpus_see_as_many_photos() -> None:
    seen = [sum(s.steps * s.batch_size for s in RECIPES[name].stages) for name in FOR_GPUS]
    assert seen == [704_000, 704_000]


# --- one device -----------------------------------------------------------------------------------


def steps_on_gpu(recipe: Recipe, batch: Tensor, **choices) -> tuple[list[dict], set[str]]:
    """A step of each kind, going back to a state in between, and coloring, on a pretended GPU: the
    losses, and what the GPU was asked for."""
    with pretended_gpu() as gpu:
        trainer = trainer_on_gpu(recipe, **choices)
        if recipe.objective.palette_weight:
            trainer.count_colors(batch)
        rows = [trainer.step("pretrain", 1, batch)]
        tensors, facts = trainer.state()
        trainer.load_state({name: tensor.cpu() for name, tensor in tensors.items()}, facts)
        rows.append(trainer.step("adversarial", 1, batch))
        inputs, _ = trainer.split(batch)
        trainer.picture(inputs, trainer.colorize(inputs))
    return rows, gpu.called


@pytest.mark.parametrize("name", RECIPES)
def test_all_of_a_step_is_on_the_gpu_and_has_an_algorithm_that_repeats_itself(
    name: str, larger: Tensor, monkeypatch
) -> None:
    monkeypatch.setenv(CUBLAS_WORKSPACE, ":4096:8")
    recipe = small(RECIPES[name])
    trainer = Trainer(recipe, device="cpu")
    if recipe.objective.palette_weight:
        trainer.count_colors(larger)
    wanted = [trainer.step(kind, 1, larger) for kind in ("pretrain", "adversarial")]
    rows, called = steps_on_gpu(recipe, larger, deterministic=True)
    for row, one in zip(rows, wanted, strict=True):
        assert row == pytest.approx(one, rel=1e-4, abs=1e-5)
    assert {"convolution_backward", "_fused_adam_", "_fused_adamw_"} & called
    assert not called & WITHOUT


# What torch documents under use_deterministic_algorithms ("will throw a RuntimeError when
# mode=True"), as the operations below it are named. Bilinear enlarging is among them; on a GPU
# torch takes another way there once the switch is on.
WITHOUT = {
    *("avg_pool3d_backward", "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward"),
    *("adaptive_max_pool2d_backward", "fractional_max_pool2d_backward"),
    *("fractional_max_pool3d_backward", "max_unpool2d", "max_unpool3d"),
    *("upsample_linear1d_backward", "upsample_bilinear2d_backward"),
    *("_upsample_bilinear2d_aa_backward", "upsample_bicubic2d_backward"),
    *("_upsample_bicubic2d_aa_backward", "upsample_trilinear3d_backward"),
    *("reflection_pad1d_backward", "reflection_pad2d_backward", "reflection_pad3d_backward"),
    *("nll_loss_forward", "nll_loss2d_forward", "nll_loss_backward", "nll_loss2d_backward"),
    *("_ctc_loss_backward", "_embedding_bag_backward", "_embedding_bag_dense_backward", "put"),
    *("put_", "histc", "bincount", "median", "nanmedian", "grid_sampler_2d_backward"),
    *("grid_sampler_3d_backward", "cumsum", "cumsum_", "scatter_reduce", "scatter_reduce_"),
}


def test_the_list_of_operations_is_spelled_as_torch_spells_them() -> None:
    assert all(hasattr(torch.ops.aten, name) for name in WITHOUT)


def test_enlarging_is_what_the_switch_changes(larger: Tensor) -> None:
    """So the list is looked at, and the pretended GPU takes the branches of a real one."""
    _, called = steps_on_gpu(small(RECIPES["encoder-256"]), larger)
    assert called & WITHOUT == {"upsample_bilinear2d_backward"}


@pytest.mark.parametrize("forgotten", ["noise", "weights of bins"])
def test_what_was_forgotten_on_the_cpu_is_noticed(forgotten: str, larger, monkeypatch) -> None:
    if forgotten == "noise":
        recipe, with_noise = small(RECIPES["noise-unet"]), Noisy.with_noise
        monkeypatch.setattr(
            Noisy, "with_noise", lambda net, x, _: with_noise(net, x, torch.zeros(len(x), 8))
        )
    else:
        recipe = small(RECIPES["starter"])
        monkeypatch.setattr(Trainer, "_bin_weights", lambda _: torch.ones(palette.COUNT))
    with pytest.raises(MixedDevices, match="on cuda:0 was given others"):
        steps_on_gpu(recipe, larger)


# --- the same bits each time ----------------------------------------------------------------------


def test_a_deterministic_run_sets_the_switches_for_its_steps_alone(photos, monkeypatch) -> None:
    seen, before = set(), torch.get_deterministic_debug_mode()
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)

    def look(*_: object) -> None:
        seen.add((torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark))

    histories = []
    for deterministic in (True, False):
        run = Run(RECIPE, photos, device="cpu", progress=False, deterministic=deterministic)
        hook = run.trainer.generator.register_forward_hook(look)
        histories.append(run.train())
        hook.remove()
        assert seen == {(2, False) if deterministic else (before, True)}
        assert (torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark) == (0, True)
        seen.clear()
    assert histories[0] == histories[1]  # on a CPU the switches change nothing


def test_a_step_that_breaks_off_puts_the_switches_back(batch: Tensor) -> None:
    trainer = Trainer(RECIPE, device="cpu", deterministic=True)
    trainer.generator.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.step("pretrain", 1, batch)
    assert torch.get_deterministic_debug_mode() == 0


def test_a_deterministic_run_is_not_compiled(monkeypatch) -> None:
    monkeypatch.setattr(trainers, "choose_compile", lambda device, wanted: wanted == "auto")
    assert Trainer(RECIPE, device="cpu").compiled
    assert not Trainer(RECIPE, device="cpu", deterministic=True).compiled
    with pytest.raises(ValueError, match="deterministic=True and compile='on' exclude each other"):
        Trainer(RECIPE, device="cpu", compile="on", deterministic=True)


# --- fp16 -----------------------------------------------------------------------------------------


@pytest.fixture
def halved(monkeypatch) -> Callable[..., None]:
    """Lets fp16 train on a CPU, with a scaler that begins at ``scale``. The library refuses that
    for its slowness, accelerate refuses it too."""

    def allow(scale: float) -> None:
        def accelerator(device: torch.device, precision: str):
            one = make(device, "fp32")
            if precision == "fp16":
                one.state._mixed_precision, one.native_amp = "fp16", True
                one.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
            return one

        for module in ("colorlab.training.trainer", "colorlab.recipes.fit"):
            monkeypatch.setattr(f"{module}.choose_precision", lambda _, wanted: wanted)
        monkeypatch.setattr(trainers, "_accelerator", accelerator)

    make = trainers._accelerator
    return allow


FP16 = with_(generator={"dropout": 0.0}, optimization={"precision": "fp16"})


def test_fp16_trains_as_fp32_does(halved, batch: Tensor) -> None:
    halved(2.0**12)
    rows = {}
    for precision in ("fp32", "fp16"):
        trainer = Trainer(with_(FP16, optimization={"precision": precision}), device="cpu")
        dtypes = set()
        for layer in (trainer.generator.downs[1][1], trainer.discriminator.layers[0]):
            layer.register_forward_hook(lambda _, __, out, seen=dtypes: seen.add(out.dtype))
        rows[precision] = [trainer.step("adversarial", number, batch) for number in range(1, 21)]
        assert dtypes == {torch.float16 if precision == "fp16" else torch.float32}
    for half, single in zip(rows["fp16"], rows["fp32"], strict=True):
        for name in ("color", "generator", "discriminator"):
            assert half[name] == pytest.approx(single[name], rel=0.05)
    assert rows["fp16"][-1]["color"] < 0.9 * rows["fp16"][0]["color"]


def test_fp16_holds_what_the_recipe_for_gpus_computes(halved, larger: Tensor) -> None:
    halved(2.0**12)
    recipe = with_(small(RECIPES["encoder-256"]), optimization={"precision": "fp16"})
    trainer = Trainer(recipe, device="cpu")
    for number, kind in enumerate(("pretrain", "adversarial"), 1):
        row = trainer.step(kind, number, larger)
        assert torch.tensor(list(row.values())).isfinite().all()
    assert trainer.accelerator.scaler.get_scale() == 2.0**12  # nothing overflowed


def test_an_overflow_is_skipped_and_lowers_the_scale(halved, batch: Tensor) -> None:
    halved(2.0**40)
    trainer = Trainer(FP16, device="cpu")
    networks = trainer.generator, trainer.discriminator
    before = [list(map(torch.clone, net.parameters())) for net in networks]
    row = trainer.step("adversarial", 1, batch)
    assert torch.tensor(list(row.values())).isfinite().all()  # the losses are as they were
    for net, old in zip(networks, before, strict=True):
        assert all(map(torch.equal, net.parameters(), old))
    assert trainer.accelerator.scaler.get_scale() == 2.0**38  # halved by both optimizers
    for number in range(2, 25):
        trainer.step("adversarial", number, batch)
    for net, old in zip(networks, before, strict=True):
        assert not any(map(torch.equal, net.parameters(), old))
    assert 1 < trainer.accelerator.scaler.get_scale() < 2.0**30


def test_the_scale_goes_through_a_checkpoint(halved, photos: Path, tmp_path: Path) -> None:
    """The run stops while it still overflows: what goes on with another scale goes on otherwise."""
    halved(2.0**32)
    recipe = dataclasses.replace(FP16, stages=(Stage("adversarial", 16, 16, 2, 1e-3, 2e-3),))
    whole = Run(recipe, photos, device="cpu", progress=False)
    whole.train()

    def stop(event) -> None:
        if event.kind == "step" and event.step == 5:
            run.stop()

    run = Run(recipe, photos, device="cpu", progress=False, output=tmp_path, listeners=[stop])
    run.train()
    scaler = run.trainer.accelerator.scaler
    assert run.step == 5 and scaler.get_scale() == 2.0**22
    again = Run(recipe, photos, device="cpu", progress=False, output=tmp_path, resume=True)
    assert again.trainer.accelerator.scaler.state_dict() == scaler.state_dict()
    again.train()
    assert again.history == whole.history
    assert same(weights(again.trainer.generator), weights(whole.trainer.generator))


# --- compiled -------------------------------------------------------------------------------------


@pytest.fixture
def compiled(monkeypatch) -> Callable[[str], None]:
    """Lets networks be compiled by a ``backend`` that writes no C++, which takes minutes: torch
    traces them, forward and backward, and runs what it traced."""
    compile_ = nn.Module.compile

    def allow(backend: str) -> None:
        torch.compiler.reset()
        monkeypatch.setattr(nn.Module, "compile", lambda net: compile_(net, backend=backend))

    yield allow
    torch.compiler.reset()


def ten_steps(recipe: Recipe, batch: Tensor, compile: str, free: int) -> list[dict]:  # noqa: A002
    """Ten steps; after the first ``free`` nothing may be compiled anew."""
    trainer = Trainer(recipe, device="cpu", compile=compile)
    assert trainer.compiled == (compile == "on")
    rows = [trainer.step("adversarial", number, batch) for number in range(1, free + 1)]
    with torch._dynamo.config.patch(error_on_recompile=True):
        rows += [trainer.step("adversarial", n, batch) for n in range(free + 1, 11)]
    return rows


def test_compiled_networks_train_as_others_and_are_compiled_once(compiled, batch) -> None:
    compiled("aot_eager")
    recipe = with_(generator={"dropout": 0.0}, discriminator={"spectral": True})
    plain, quick = (ten_steps(recipe, batch, compile, free=1) for compile in ("off", "on"))
    for row, one in zip(quick, plain, strict=True):
        assert row == pytest.approx(one, rel=1e-3, abs=1e-4)


def test_the_recipe_for_gpus_is_compiled_once(compiled, larger: Tensor) -> None:
    compiled("eager")
    recipe = small(RECIPES["encoder-256"])
    plain, quick = (ten_steps(recipe, larger, compile, free=1) for compile in ("off", "on"))
    for row, one in zip(quick, plain, strict=True):
        assert row == pytest.approx(one, rel=1e-3, abs=1e-4)


# --- memory ---------------------------------------------------------------------------------------


def test_memory_that_does_not_suffice_leaves_a_checkpoint_to_go_on_from(
    photos: Path, tmp_path: Path, monkeypatch
) -> None:
    """As on a GPU that others fill up meanwhile: from the fourth step on, 2 photos fit."""
    recipe = dataclasses.replace(RECIPE, stages=(Stage("adversarial", 6, 16, 4),))
    choices = {"device": "cpu", "progress": False, "output": tmp_path, "checkpoint_every": 2}
    run = Run(recipe, photos, **choices)
    forward = type(run.trainer.generator).forward

    def greedy(net: nn.Module, x: Tensor, noise: Tensor | None = None) -> Tensor:
        if run.step >= 3 and len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(net, x, noise)

    with monkeypatch.context() as patch:
        patch.setattr(type(run.trainer.generator), "forward", greedy)
        with pytest.raises(OutOfMemory, match="batch of 4 at 16 pixels, at step 4.*of 2 fits"):
            run.train()
    assert run.state == "failed"
    again = Run(recipe, photos, **choices, resume=True)
    assert again.step == 2 and again.history == run.history[:2]
    again.train()
    whole = Run(recipe, photos, device="cpu", progress=False)
    assert again.history == whole.train()
