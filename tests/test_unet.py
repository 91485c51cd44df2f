"""The U-Net against a recursive and a functional reference, and its errors by running them."""

from __future__ import annotations

import copy
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from colorlab.layers import Dropout, check_input
from colorlab.unet import UNet


def small(levels: int = 3, **choices) -> UNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet(levels, **{"base": 4, "cap": 16, "dropout": 0.0, **choices}).eval()


def picture(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=dtype) * 2 - 1


def test_the_usual_network_has_the_usual_number_of_parameters() -> None:
    with torch.device("meta"):  # counts without allocating
        count = sum(p.numel() for p in UNet().parameters())
    assert count == 54_409_858


def test_eight_levels_bring_256_pixels_down_to_one() -> None:
    net, bottom = small(8, base=1, out_channels=3), []
    net.downs[-1].register_forward_hook(lambda _, __, out: bottom.append(out.shape))
    assert net(picture(2, 1, 256, 256)).shape == (2, 3, 256, 256)
    assert bottom == [(2, 16, 1, 1)]


def test_widths_double_up_to_the_cap() -> None:
    def widths(*shape: int) -> list[int]:
        with torch.device("meta"):
            blocks = UNet(*shape).downs
        return [
            layer.out_channels for block in blocks for layer in block if hasattr(layer, "stride")
        ]

    assert widths(8, 64, 512) == [64, 128, 256, 512, 512, 512, 512, 512]
    assert widths(3, 10, 15) == [10, 15, 15]


# --- what flows where -----------------------------------------------------------------------------


def by_recursion(net: UNet, x: Tensor, level: int = 0) -> Tensor:
    """The U-Net as its inventors draw it: each level holds the one below it."""
    down = net.downs[level](x)
    if level == net.levels - 1:
        return net.ups[0](down)
    below = by_recursion(net, down, level + 1)
    return net.ups[net.levels - 1 - level](torch.cat([below, down], 1))


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("levels", [2, 3, 4])
def test_the_loop_equals_the_recursion(levels: int, upsampling: str) -> None:
    net = small(levels, upsampling=upsampling)
    x = picture(2, 1, 32, 16)
    assert torch.equal(net(x), by_recursion(net, x))


def test_the_blocks_equal_plain_functions_on_the_same_weights() -> None:
    """Three levels written out with torch.nn.functional, batch norm on the batch's own numbers."""
    net = small(3).double().train()
    x = picture(3, 1, 16, 24, dtype=torch.float64)
    w = {name: value.detach() for name, value in net.state_dict().items()}

    def norm(y: Tensor, name: str) -> Tensor:
        mean, var = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), unbiased=False, keepdim=True)
        scale, shift = w[f"{name}.weight"], w[f"{name}.bias"]
        return (y - mean) / (var + 1e-5).sqrt() * scale[:, None, None] + shift[:, None, None]

    def up(y: Tensor, name: str, bias: Tensor | None = None) -> Tensor:
        return F.conv_transpose2d(y.clamp_min(0), w[f"{name}.1.weight"], bias, 2, 1)

    d0 = F.conv2d(x, w["downs.0.0.weight"], None, 2, 1)
    d1 = norm(F.conv2d(F.leaky_relu(d0, 0.2), w["downs.1.1.weight"], None, 2, 1), "downs.1.2")
    d2 = F.conv2d(F.leaky_relu(d1, 0.2), w["downs.2.1.weight"], None, 2, 1)
    u0 = norm(up(d2, "ups.0"), "ups.0.2")
    u1 = norm(up(torch.cat([u0, d1], 1), "ups.1"), "ups.1.2")
    wanted = up(torch.cat([u1, d0], 1), "ups.2", w["ups.2.1.bias"]).tanh()

    torch.testing.assert_close(net(x), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("half", ["from below", "skip"])
@pytest.mark.parametrize("up", [1, 2, 3])
def test_no_way_up_is_idle(up: int, half: str) -> None:
    """Zero what one block gets from below, or over its skip: the picture changes."""
    net, x = small(4), picture(1, 1, 32, 32)
    before = net(x)

    def silence(_: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        below, skip = args[0].chunk(2, 1)
        parts = [below * 0, skip] if half == "from below" else [below, skip * 0]
        return (torch.cat(parts, 1),)

    net.ups[up].register_forward_pre_hook(silence)
    assert (net(x) - before).abs().max() > 1e-4


def test_every_weight_learns() -> None:
    net = small(4).train()
    net(picture(2, 1, 32, 32)).square().mean().backward()
    idle = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_pictures_of_a_batch_do_not_mix_with_instance_norm() -> None:
    net, x = small(norm="instance").train(), picture(3, 1, 16, 16)
    torch.testing.assert_close(net(x)[1:2], net(x[1:2]), rtol=1e-4, atol=1e-6)
    mixing = small(norm="batch").train()
    assert (mixing(x)[1:2] - mixing(x[1:2])).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("levels", "dropping"), [(8, [0, 1, 2]), (4, [0, 1, 2]), (3, [0, 1]), (2, [0])]
)
def test_dropout_stands_in_the_first_three_up_blocks(levels: int, dropping: list[int]) -> None:
    with torch.device("meta"):
        net, without = UNet(levels, dropout=0.5), UNet(levels, dropout=0)

    def found(module: nn.Module) -> list[int]:
        return [
            i
            for i, up in enumerate(module.ups)
            if any(isinstance(layer, nn.Dropout) for layer in up)
        ]

    assert found(net) == dropping
    assert found(without) == []
    assert net.state_dict().keys() == without.state_dict().keys()


# --- noise ----------------------------------------------------------------------------------------


def test_two_noises_give_two_colorings_and_one_noise_gives_one() -> None:
    net, x = small(noise_channels=2), picture(1, 1, 16, 16)
    one, two = picture(1, 2, 16, 16, seed=1), picture(1, 2, 16, 16, seed=2)
    assert torch.equal(net(x, one), net(x, one))
    assert (net(x, one) - net(x, two)).abs().max() > 1e-3


def test_noise_is_drawn_when_it_is_left_out() -> None:
    net, x = small(noise_channels=1), picture(2, 1, 16, 16)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        first, second = net(x), net(x)
        torch.manual_seed(5)
        again = net(x)
        torch.manual_seed(5)
        noise = torch.randn(2, 1)
    vector, spread = net(x, noise), net(x, noise[:, :, None, None].expand(2, 1, 16, 16))
    assert torch.equal(first, again) and torch.equal(first, vector) and torch.equal(first, spread)
    assert not torch.equal(first, second)


def test_drawn_noise_follows_from_its_seed() -> None:
    net = small(noise_channels=2)
    assert net.draw_noise(3, 1).shape == (3, 2) and small().draw_noise(3) is None
    assert torch.equal(net.draw_noise(3, 1), net.draw_noise(3, 1))
    assert not torch.equal(net.draw_noise(3, 1), net.draw_noise(3, 2))


def test_a_network_with_random_numbers_of_its_own_leaves_torchs_alone() -> None:
    net, x = small(noise_channels=2, dropout=0.5).train(), picture(2, 1, 16, 16)
    net.random = torch.Generator().manual_seed(3)
    before = torch.get_rng_state()
    first = net(x)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(net(x), first)
    net.random.manual_seed(3)
    torch.rand(7)
    assert torch.equal(net(x), first)
    assert torch.equal(
        copy.deepcopy(net).eval()(x, net.draw_noise(2)), net.eval()(x, net.draw_noise(2))
    )


def test_dropout_keeps_the_mean_and_scales_the_gradient() -> None:
    drop = Dropout(0.25)
    drop.random = torch.Generator().manual_seed(0)
    x = torch.ones(200, 200, requires_grad=True)
    y = drop(x)
    assert (y == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert y.mean().item() == pytest.approx(1, abs=0.01)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())  # 0 or 1 / 0.75, where the values are too
    assert drop.eval()(x) is x or torch.equal(drop.eval()(x), x)


def test_noise_of_a_wrong_shape_is_refused() -> None:
    x = picture(1, 1, 16, 16)
    with pytest.raises(ValueError, match=r"\(1, 2, 16, 16\), got \(1, 1, 16, 16\)"):
        small(noise_channels=2)(x, x)
    with pytest.raises(ValueError, match="takes no noise"):
        small()(x, x)


# --- shapes and sizes -----------------------------------------------------------------------------


@settings(max_examples=25)
@given(data=st.data())
def test_any_network_colors_any_size_that_fits(data: st.DataObject) -> None:
    levels = data.draw(st.integers(2, 4), "levels")
    sides = st.integers(1, 3).map(lambda n: n * 2**levels)
    height, width = data.draw(sides, "height"), data.draw(sides, "width")
    inputs, outputs = data.draw(st.integers(1, 3), "in"), data.draw(st.integers(1, 3), "out")
    net = small(
        levels,
        base=data.draw(st.integers(1, 4), "base"),
        norm=data.draw(st.sampled_from(["batch", "instance"]), "norm"),
        dropout=data.draw(st.sampled_from([0.0, 0.5]), "dropout"),
        upsampling=data.draw(st.sampled_from(["transposed", "resize"]), "upsampling"),
        noise_channels=data.draw(st.integers(0, 2), "noise"),
        in_channels=inputs,
        out_channels=outputs,
    )
    out = net(picture(2, inputs, height, width))
    assert out.shape == (2, outputs, height, width)
    assert out.abs().max() <= 1


@settings(max_examples=30)
@given(levels=st.integers(2, 4), size=st.integers(1, 70), tall=st.booleans())
def test_a_size_that_does_not_fit_is_refused_with_the_nearest_that_do(
    levels: int, size: int, tall: bool
) -> None:
    net, fits = small(levels, base=1), 2**levels
    shape = (1, 1, size, fits) if tall else (1, 1, fits, size)
    if size % fits == 0:
        assert net(torch.zeros(shape)).shape == (1, 2, *shape[2:])
        return
    with pytest.raises(ValueError) as caught:
        net(torch.zeros(shape))
    message = str(caught.value)
    assert (
        f"its {'height' if tall else 'width'} must be a multiple of {fits}; got {size}" in message
    )
    named = [int(n) for n in re.findall(r"\d+", message.split("Nearest: ")[1].split(". ")[0])]
    multiples = [n for n in range(fits, 200, fits)]
    assert named == [n for n in multiples if abs(n - size) < fits]
    for n in named:
        assert net(torch.zeros(1, 1, n, fits)).shape[2] == n


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((1, 16, 16), r"x\[None\]"),
        ((2, 3, 16, 16), r"takes \(B, 1, H, W\), got \(2, 3, 16, 16\)"),
        ((16,), r"got \(16,\)"),
        ((1, 1, 0, 16), "got 0. Nearest: 8. "),
    ],
)
def test_other_shapes_are_refused(shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        small(3)(torch.zeros(shape))


def test_the_check_names_the_network() -> None:
    with pytest.raises(ValueError, match="^a tower halves the picture 5 times.*multiple of 32"):
        check_input(torch.zeros(1, 3, 32, 33), 3, 32, "a tower")


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"norm": "layer"}, "'layer'; choose from batch, instance"),
        ({"upsampling": "bilinear"}, "'bilinear'; choose from transposed, resize"),
        ({"levels": 1}, "at least 2 levels, got 1"),
    ],
)
def test_unknown_choices_are_refused_with_the_valid_ones(choice: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        UNet(**choice)


def test_resizing_does_without_transposed_convolutions() -> None:
    kinds = {type(layer) for layer in small(upsampling="resize").modules()}
    assert nn.ConvTranspose2d not in kinds and nn.Upsample in kinds
