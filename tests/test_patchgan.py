"""The discriminator against a functional reference; its field against where gradients arrive."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from colorlab.patchgan import PatchGAN, receptive_field
from colorlab.unet import UNet


def small(**choices) -> PatchGAN:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PatchGAN(**{"base": 4, "layers": 2, **choices})


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_the_70_by_70_discriminator_has_the_usual_size_and_map() -> None:
    with torch.device("meta"):
        net = PatchGAN()
    assert sum(p.numel() for p in net.parameters()) == 2_765_633
    widths = [layer.out_channels for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert widths == [64, 128, 256, 512, 1]
    narrow = small(base=1, layers=3)
    assert narrow(random(2, 3, 256, 256)).shape == (2, 1, 30, 30)


def test_the_layers_equal_plain_functions_on_the_same_weights() -> None:
    net = small(layers=1).double()
    x = random(3, 3, 16, 12, dtype=torch.float64)
    w = {name.removeprefix("layers."): value for name, value in net.state_dict().items()}
    y = F.leaky_relu(F.conv2d(x, w["0.weight"], w["0.bias"], 2, 1), 0.2)
    y = F.conv2d(y, w["2.weight"], None, 1, 1)
    y = (y - y.mean((0, 2, 3), keepdim=True)) / (
        y.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5
    ).sqrt()
    wanted = F.conv2d(F.leaky_relu(y, 0.2), w["5.weight"], w["5.bias"], 1, 1)
    torch.testing.assert_close(net(x), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_a_bias_stands_exactly_where_no_norm_follows(norm: str) -> None:
    layers = list(small(norm=norm).layers)
    normed = [
        not isinstance(after, nn.LeakyReLU)
        for layer, after in zip(layers, [*layers[1:], nn.LeakyReLU()], strict=True)
        if isinstance(layer, nn.Conv2d)
    ]
    biased = [layer.bias is not None for layer in layers if isinstance(layer, nn.Conv2d)]
    assert biased == [not n for n in normed]
    assert sum(normed) == (0 if norm == "none" else 2)


def test_the_image_head_gives_one_logit_an_image_of_any_size() -> None:
    net = small(in_channels=2, head="image").eval()
    assert net(random(3, 2, 20, 36)).shape == (3, 1)
    assert receptive_field(net) == math.inf
    assert not any(isinstance(m, nn.Sigmoid) for m in net.modules())


@pytest.mark.parametrize("head", ["patch", "image"])
def test_spectral_normalization_leaves_a_largest_singular_value_of_one(head: str) -> None:
    net = small(spectral=True, norm="none", head=head)
    for _ in range(60):  # each forward in train mode is one step of the power iteration
        net(random(1, 3, 16, 16))
    net.eval()
    weights = [m.weight for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(weights) == 4
    for weight in weights:
        largest = torch.linalg.svdvals(weight.detach().flatten(1))[0].item()
        assert largest == pytest.approx(1, abs=1e-2)


# --- the receptive field --------------------------------------------------------------------------


def support(module: nn.Module, x: Tensor) -> tuple[int, int]:
    """Height and width of the input pixels that move the middle output."""
    x.requires_grad_(True)
    out = module(x)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    rows, columns = x.grad[0].abs().sum(0).nonzero(as_tuple=True)
    return tuple(int(i.max() - i.min()) + 1 for i in (rows, columns))


@pytest.mark.parametrize(("layers", "pixels"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286)])
def test_gradients_arrive_exactly_within_the_receptive_field(layers: int, pixels: int) -> None:
    net = small(in_channels=1, base=1, layers=layers, norm="none").double()
    side = 2 * pixels
    assert support(net, random(1, 1, side, side, dtype=torch.float64)) == (pixels, pixels)
    assert receptive_field(net) == pixels
    assert receptive_field(small(layers=layers, spectral=True)) == pixels


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["conv", "max", "mean"]),
            st.integers(1, 4),  # kernel
            st.integers(1, 2),  # stride
            st.integers(1, 2),  # dilation
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_field_of_any_stack_is_where_gradients_arrive(layers: list[tuple]) -> None:
    modules: list[nn.Module] = []
    spread: list[nn.Module] = []  # of the same geometry, and every pixel below a kernel counts
    for kind, kernel, stride, dilation in layers:
        if kind == "conv":
            modules.append(nn.Conv2d(1, 1, kernel, stride, dilation=dilation, bias=False))
            nn.init.ones_(modules[-1].weight)
            spread.append(modules[-1])
        else:
            modules.append((nn.MaxPool2d if kind == "max" else nn.AvgPool2d)(kernel, stride))
            spread.append(nn.AvgPool2d(kernel, stride))
    field = receptive_field(nn.Sequential(*modules))
    side = int(field) + 2 * 2 ** len(layers)
    ones = torch.ones(1, 1, side, side, dtype=torch.float64)
    assert support(nn.Sequential(*spread).double(), ones) == (field, field)


def test_what_has_no_square_field_is_refused() -> None:
    with pytest.raises(ValueError, match="ConvTranspose2d enlarges"):
        receptive_field(UNet(2, base=2))
    with pytest.raises(ValueError, match=r"both sides, got \(3, 5\)"):
        receptive_field(nn.Conv2d(1, 1, (3, 5)))


def test_the_field_of_half_a_network_and_of_a_flattened_one() -> None:
    assert receptive_field(UNet(3, base=2).downs) == 22  # 4, 4 + 3·2, 10 + 3·4
    assert receptive_field(nn.Sequential(nn.Flatten(), nn.Linear(16, 1))) == math.inf


# --- errors ---------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(layers=st.integers(1, 4), head=st.sampled_from(["patch", "image"]), data=st.data())
def test_a_picture_is_taken_exactly_from_the_smallest_size_on(
    layers: int, head: str, data: st.DataObject
) -> None:
    net = small(layers=layers, head=head, base=1, norm="none")
    enough = data.draw(st.integers(net.smallest, net.smallest + 9))
    assert net(torch.zeros(1, 3, net.smallest, enough)).numel() >= 1
    with pytest.raises(RuntimeError):  # what torch itself would have said, one pixel below
        net.layers(torch.zeros(1, 3, net.smallest - 1, enough))
    few = data.draw(st.integers(1, net.smallest - 1))
    with pytest.raises(ValueError, match=f"at least {net.smallest} pixels a side, got"):
        net(torch.zeros(1, 3, enough, few))


def test_other_channels_are_refused_with_what_to_show_instead() -> None:
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\), got \(1, 2, 32, 32\).*torch.cat"):
        small()(torch.zeros(1, 2, 32, 32))
    with pytest.raises(ValueError, match=r"got \(3, 32, 32\)"):
        small()(torch.zeros(3, 32, 32))


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"norm": "group"}, "'group'; choose from batch, instance, none"),
        ({"head": "pixel"}, "'pixel'; choose from patch, image"),
        ({"layers": 0}, "at least one strided layer, got 0"),
    ],
)
def test_unknown_choices_are_refused_with_the_valid_ones(choice: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PatchGAN(**choice)
