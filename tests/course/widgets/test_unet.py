"""colorlab.course.widgets.unet: the walk with skips cut, on the library's own network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colorlab.course.widgets.unet import TILE, LookInside, SkipSwitch, maps_picture, square, walk
from colorlab.unet import UNet


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(4)
    return UNet(4, 4, 16, dropout=0.0).eval()


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(1)
    return {name: random.integers(0, 256, (40, 60, 3), dtype=np.uint8) for name in ("one", "two")}


def test_walk_gives_every_block_and_ends_as_the_network_does(net):
    L = torch.rand(1, 1, 32, 32) * 2 - 1
    found = walk(net, L, (True, True, True))
    assert list(found) == [f"{way} {i}" for way in ("down", "up") for i in range(4)]
    torch.testing.assert_close(found["up 3"], net(L).detach())
    assert found["down 3"].shape == (1, 16, 2, 2)
    assert not found["up 3"].requires_grad


def test_a_cut_skip_carries_nothing(net):
    """Cutting skip i equals weights of zero where up block n - 1 - i takes it in."""
    L = torch.rand(1, 1, 32, 32) * 2 - 1
    for i in range(3):
        kept = tuple(number != i for number in range(3))
        other = UNet(4, 4, 16, dropout=0.0).eval()
        other.load_state_dict(net.state_dict())
        block = other.ups[3 - i]
        weight = block[1].weight  # (inputs, outputs, 4, 4): the second half is the skip's
        with torch.no_grad():
            weight[len(weight) // 2 :] = 0
        torch.testing.assert_close(walk(net, L, kept)["up 3"], other(L).detach())


def test_walk_counts_the_skips(net):
    with pytest.raises(ValueError, match="3 skips, not 4"):
        walk(net, torch.zeros(1, 1, 32, 32), (True,) * 4)


def test_square_is_the_middle():
    photo = np.zeros((20, 60, 3), np.uint8)
    photo[:, 20:40] = 200
    assert (square(photo, 20) == 200).float().mean() > 0.9
    assert square(photo, 16).shape == (3, 16, 16)


def test_skip_switch(net, pictures):
    panel = SkipSwitch(net.train(), pictures, size=32)
    buffers = [buffer.clone() for buffer in net.buffers()]
    panel._move()
    assert net.training, "left as it was"
    assert all(map(torch.equal, buffers, net.buffers())), "batch norm must not learn from it"
    assert panel.words == "All skips on. "
    whole = panel.picture()
    assert whole.shape == (2 * TILE + 8, 3 * TILE + 16, 3)
    panel.controls["skip_1"].value = False
    assert "Skips off: 1." in panel.words and "Lab units" in panel.words
    cut = panel.picture()
    ours = np.s_[30:TILE, TILE + 8 : 2 * TILE + 8]  # below the label
    L = panel.photos["one"]["L"]
    net.eval()
    away = walk(net, L, (True, False, True))["up 3"] - walk(net, L, (True,) * 3)["up 3"]
    net.train()
    assert f"moved by {110 * away.norm(dim=1).mean():.1f} Lab" in panel.words
    assert (cut[ours] != whole[ours]).any()
    np.testing.assert_array_equal(cut[:, :TILE], whole[:, :TILE])
    np.testing.assert_array_equal(cut[:, 2 * TILE + 16 :], whole[:, 2 * TILE + 16 :])
    panel.set(photo="two", skip_0=False, skip_2=False)
    assert "Skips off: 0, 1, 2." in panel.words
    assert "skip 2: 4 × 4" in panel.controls["skip_2"].description


def test_skip_switch_follows_the_network(net, pictures):
    """Trained on, it says how far the new network's colors move, not how far from the old one's."""
    other = UNet(4, 4, 16, dropout=0.0)
    other.load_state_dict(net.state_dict())
    panel = SkipSwitch(other, pictures, size=32)
    panel.controls["skip_0"].value = False
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    panel._move()
    fresh = SkipSwitch(other, pictures, size=32)
    fresh.controls["skip_0"].value = False
    assert panel.words == fresh.words


def test_what_cannot_be_shown_is_refused(net, pictures):
    with pytest.raises(ValueError, match="at least one photo"):
        SkipSwitch(net, {}, size=32)
    with pytest.raises(ValueError, match="multiple of 16, not 40"):
        LookInside(net, pictures, size=40)


def test_look_inside(net, pictures):
    panel = LookInside(net, pictures, size=32)
    said = []
    for _, block in enumerate(panel.controls["block"].options):
        panel.controls["block"].value = block
        said.append(panel.words)
    assert said[0] == "down 0: 4 maps of 16 × 16."
    assert said[2] == "down 2: 16 maps of 4 × 4."
    assert said[-1] == "up 3: 2 maps of 32 × 32."


def test_maps_go_from_dark_to_light():
    features = torch.zeros(1, 3, 2, 2)
    features[0, 1] = torch.tensor([[-5.0, 0.0], [0.0, 5.0]])
    picture = maps_picture(features, 80)  # three maps: two across
    assert (picture[:37, :37] == 0).all(), "a map without differences is dark"
    tile = picture[:37, 40:77, 0]
    assert (tile[0, 0], tile[0, -1], tile[-1, -1]) == (0, 128, 255)
    assert (picture[40:, 40:] == 255).all(), "no fourth map: white"
    assert maps_picture(torch.rand(1, 16, 2, 2), 80)[:17, :17].std() > 0, "sixteen: four across"
