"""The testers of lesson 03: the blocks of a U-Net, its walk, its size, a step of training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from colorlab.course.checks.exercise import (
    Exercise,
    Flaw,
    NotYet,
    call,
    layers_of,
    match,
    own_random,
    spied_sgd,
    want_module,
    want_number,
    want_tensor,
)

# --- 3.1 and 3.2: the blocks ---------------------------------------------------------------------


def _only(layers: Sequence[Any], kind: type, name: str) -> Any:
    found = [layer for layer in layers if isinstance(layer, kind)]
    if len(found) != 1:
        raise NotYet(
            f"The block holds {len(found)} layers of the kind {name}; it should be one.",
            f"Layers that are there: {', '.join(type(layer).__name__ for layer in layers)}.",
        )
    return found[0]


def _check_geometry(conv: Any, inputs: int, outputs: int) -> Flaw | None:
    """Channels, kernel, stride, padding and bias of a block's convolution."""
    name = type(conv).__name__
    if (conv.in_channels, conv.out_channels) == (outputs, inputs):
        return Flaw(
            "Inputs and outputs have changed places.",
            f"Look up the order of {name}'s first two arguments.",
        )
    if (conv.in_channels, conv.out_channels) != (inputs, outputs):
        return Flaw(
            f"The convolution goes from {conv.in_channels} to {conv.out_channels} channels; asked "
            f"for were {inputs} to {outputs}.",
            "Use the function's two arguments, no fixed numbers.",
        )
    if conv.stride != (2, 2):
        return Flaw(
            f"The stride is {conv.stride[0]}, so the size does not change by a factor of 2.",
            "Which stride makes a kernel skip every second position?",
        )
    if conv.kernel_size != (4, 4):
        return Flaw(
            f"The kernel is {conv.kernel_size[0]} pixels wide.",
            "The docstring names kernel, stride and padding, in this order.",
        )
    if conv.padding != (1, 1):
        return Flaw(
            f"With padding={conv.padding[0]} the size is off: not half, not double.",
            "Put k = 4 and s = 2 into the formula above: which p gives exactly half, or exactly "
            "twice?",
        )
    return None


def _check_run(block: Any, inputs: int, outputs: int, factor: float) -> Flaw | None:
    """The norm's channels, and the shape that comes out."""
    import torch
    from torch import nn

    for layer in layers_of(block):
        if isinstance(layer, nn.BatchNorm2d) and layer.num_features != outputs:
            return Flaw(
                f"The norm is made for {layer.num_features} channels, and {outputs} reach it.",
                "It follows the convolution: count the channels that come out there.",
            )
    conv = next(m for m in layers_of(block) if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))
    plain = conv.groups == 1 and conv.padding_mode == "zeros"
    if not plain or any(getattr(m, "affine", True) is False for m in layers_of(block)):
        return Flaw(
            "A layer has an option that was not asked for (groups, padding_mode, affine).",
            "Leave everything but kernel, stride, padding and bias as it is.",
        )
    with torch.no_grad():
        x = torch.randn(2, inputs, 16, 16)
        inputs = x.clone()
        output = block(inputs)
        found = tuple(output.shape)
    if not torch.equal(inputs, x):
        return Flaw(
            "The block writes into its input, which a skip still needs.",
            "Look for a layer that works in place.",
        )
    side = int(16 * factor)
    if found == (2, outputs, side, side):
        with torch.no_grad():
            if not torch.allclose(output, nn.Sequential(*layers_of(block))(x), atol=1e-4):
                return Flaw(
                    "The layers are right, but the block does not send x through all of them.",
                    "nn.Sequential walks all layers that it gets, one after the other.",
                )
    if found != (2, outputs, side, side):
        return Flaw(
            f"A map of 16 × 16 became {found[2]} × {found[3]}; it should be {side} × {side}.",
            "Give stride, padding and bias by name, and leave all else as it is: the two kinds of "
            "convolution order their other arguments differently.",
        )
    return None


def _check_order(layers: Sequence[Any], wanted: Sequence[type]) -> Flaw | None:
    kinds = [next((kind for kind in wanted if isinstance(layer, kind)), None) for layer in layers]
    if kinds != list(wanted):
        names = ", ".join(type(layer).__name__ for layer in layers)
        return Flaw(
            f"The order of the layers is another one than asked for. Yours stand {names}.",
            "The text above names the order, and says why the activation has its place.",
        )
    return None


@own_random
def _test_down(down: Any) -> Flaw | None:
    from torch import nn

    for norm in (True, False):
        block = want_module(call(down, 6, 10, norm))
        layers = layers_of(block)
        norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
        conv = _only(layers, nn.Conv2d, "Conv2d")
        flaw = _check_geometry(conv, 6, 10)
        if flaw is not None:
            return flaw
        if conv.bias is not None:
            return Flaw(
                "The convolution has a bias. The batch norm would subtract it again. In pix2pix "
                "the block without a norm has no bias either.",
                "The convolution has an argument that turns the bias off.",
            )
        if norm and not norms:
            return Flaw(
                "With norm=True there is no BatchNorm2d.",
                "Append one after the convolution, for the channels that come out of it.",
            )
        if not norm and norms:
            return Flaw(
                "With norm=False there is a BatchNorm2d all the same.",
                "Let the argument norm decide whether it is appended.",
            )
        if any(type(layer) is nn.ReLU for layer in layers):
            return Flaw(
                "Your activation stops everything that is negative, and its gradient.",
                "The docstring names another one, which lets a fifth of it pass.",
            )
        leaky = _only(layers, nn.LeakyReLU, "LeakyReLU")
        if leaky.negative_slope != 0.2:
            return Flaw(
                f"The LeakyReLU multiplies what is negative by {leaky.negative_slope}.",
                "The docstring names another factor.",
            )
        wanted = (nn.LeakyReLU, nn.Conv2d, *((nn.BatchNorm2d,) if norm else ()))
        flaw = _check_order(layers, wanted) or _check_run(block, 6, 10, 0.5)
        if flaw is not None:
            return flaw
    return None


@own_random
def _test_up(up: Any) -> Flaw | None:
    from torch import nn

    block = want_module(call(up, 10, 6))
    layers = layers_of(block)
    if any(isinstance(layer, nn.Upsample) for layer in layers):
        return Flaw(
            "Enlarging and then convolving is the other way to double a map.",
            "It works too, and the library has it; here it should be one nn.ConvTranspose2d.",
        )
    if any(isinstance(layer, nn.Conv2d) for layer in layers):
        return Flaw(
            "A Conv2d of stride 2 halves the map once more.",
            "The way up needs the layer that doubles it; section 3 names it.",
        )
    conv = _only(layers, nn.ConvTranspose2d, "ConvTranspose2d")
    flaw = _check_geometry(conv, 10, 6)
    if flaw is not None:
        return flaw
    if conv.bias is not None and any(isinstance(part, bool) for part in conv.output_padding):
        return Flaw(
            "Your False became output_padding, the sixth argument of nn.ConvTranspose2d, and the "
            "bias is still on.",
            "nn.Conv2d and nn.ConvTranspose2d order their arguments differently. Which ones do you "
            "have to name?",
        )
    if conv.bias is not None:
        return Flaw(
            "The convolution has a bias, though a norm follows it.",
            "The norm subtracts it again: turn it off, as in the down block.",
        )
    if not any(isinstance(layer, nn.BatchNorm2d) for layer in layers):
        return Flaw("The norm is missing.", "The docstring names it as the last layer.")
    if any(isinstance(layer, nn.LeakyReLU) for layer in layers):
        return Flaw(
            "The activation is the one of the way down.", "The docstring names a plainer one."
        )
    flaw = _check_order(layers, (nn.ReLU, nn.ConvTranspose2d, nn.BatchNorm2d))
    return flaw or _check_run(block, 10, 6, 2.0)


# --- 3.3: the walk -------------------------------------------------------------------------------

_CHANNELS = (2, 3, 4)


def _blocks() -> tuple[list[Any], list[Any]]:
    """Three down and three up blocks that take any number of channels and mix them in a way that
    shows which channel came at which place."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, outputs: int, seed: int, grows: bool) -> None:
            super().__init__()
            random = torch.Generator().manual_seed(seed)
            self.weight = nn.Parameter(torch.rand(outputs, 32, generator=random))
            self.grows = grows

        def forward(self, x: Any) -> Any:
            if self.grows:
                x = nn.functional.interpolate(x, scale_factor=2)
            else:
                x = nn.functional.avg_pool2d(x, 2)
            return torch.einsum("oc,bchw->bohw", self.weight[:, : x.shape[1]], x)

    downs = [Block(outputs, 10 + i, False) for i, outputs in enumerate(_CHANNELS)]
    ups = [Block(outputs, 20 + i, True) for i, outputs in enumerate((3, 2, 2))]
    return downs, ups


def _walked(downs: Any, ups: Any, x: Any, join: Any) -> Any:
    skips = []
    for down in downs:
        x = down(x)
        skips.append(x)
    x = ups[0](skips.pop())
    for up in ups[1:]:
        x = up(join(x, skips.pop()))
    return x


@own_random
def _test_walk(walk: Any) -> Flaw | None:
    import torch

    downs, ups = _blocks()
    x = torch.rand(2, 1, 16, 16)
    try:
        result = call(walk, list(downs), list(ups), x.clone(), pure=True)
    except RuntimeError as error:
        sizes = re.search(r"Expected size (\d+) but got size (\d+)", str(error))
        if sizes is None:
            raise
        return _misfit(*map(int, sizes.groups()))
    except IndexError:
        return Flaw(
            "Your code counts on more blocks than there are.",
            "Loop over the lists as they come: the check's network has three levels.",
        )
    if isinstance(result, torch.Tensor) and result.dim() == 4 and len(result) != 2:
        return Flaw(
            f"Two photos went in, {len(result)} came out: they are joined along the batch.",
            "In (B, C, H, W), which dimension holds the channels? Give it to torch.cat.",
        )
    result = want_tensor(result, what="the network's output")

    def cat(one: Any, other: Any) -> Any:
        return torch.cat([one, other], 1)

    right = _walked(downs, ups, x, cat)
    with torch.no_grad():
        encoded = downs[2](downs[1](downs[0](x)))
        twice = _twice(downs, ups, x)
    mistakes = (
        (
            _walked(downs, ups, x, lambda one, other: one),
            Flaw(
                "No skip is used: each up block gets only what the one before it gave.",
                "Before each up block but the first, take a map off the list and join it with x.",
            ),
        ),
        (
            _walked(downs, ups, x, lambda one, other: cat(other, one)),
            Flaw(
                "The two halves have changed places: the skip stands first.",
                "Trained weights fit only one of the two orders. In section 4, x comes first.",
            ),
        ),
        (
            _walked(downs, ups, x, lambda one, other: one + other),
            Flaw(
                "The skips are added.",
                "A U-Net lays them beside each other as more channels. Section 4 names the "
                "function.",
            ),
        ),
        (
            twice,
            Flaw(
                "The innermost map goes in twice: as x and as its own skip.",
                "It has no partner. Take it off the list before the first up block.",
            ),
        ),
        (
            _walked(downs, ups, x, lambda one, other: cat(one, one)),
            Flaw(
                "Each map is joined with itself.",
                "Where is the map of this size from the way down?",
            ),
        ),
        (encoded, Flaw("That is only the way down.", "The up blocks have not been walked yet.")),
    )
    otherwise = Flaw(
        f"The output's shape is {tuple(result.shape)}, and its numbers are not those of the walk.",
        "Print the shape after each block, and compare with the boxes at the top of the lesson.",
    )
    flaw = match(result, right, mistakes, otherwise)
    if flaw is not None:
        return flaw
    first = downs[0].weight
    (wanted,) = torch.autograd.grad(right.sum(), first)
    found = None
    if result.requires_grad:
        (found,) = torch.autograd.grad(result.sum(), first, allow_unused=True)
    if found is None or not torch.allclose(found, wanted, rtol=1e-3):
        return Flaw(
            "The numbers are right, but the gradient does not flow back along all ways.",
            "Look for .detach(), .data or torch.no_grad(): the skips train the way down, too.",
        )
    shorter = downs[:2], [ups[1], ups[2]]
    other = want_tensor(call(walk, *shorter, x.clone()), what="the output of a shallower network")
    if other.shape != x.shape[:1] + (2, 16, 16) or not torch.allclose(
        other, _walked(*shorter, x, cat), rtol=1e-3
    ):
        return Flaw(
            "With three levels it is right, with two it is not.",
            "Loop over the lists, however long they are.",
        )
    return None


def _misfit(one: int, other: int) -> Flaw:
    """Two maps that can't be joined; on the way down of `_test_walk` they are 8, 4 and 2 wide."""
    if 16 in (one, other):
        advice = "On the way down, is x replaced by what each block gives?"
    elif 2 in (one, other):
        advice = "The innermost map has no partner: take it off the list before the first up block."
    else:
        advice = "The last skip that was put in is the first to come out: skips.pop()."
    return Flaw(
        f"Maps of {one} × {one} and {other} × {other} can't be joined: the skip is not the one "
        "of this size.",
        advice,
    )


def _twice(downs: Any, ups: Any, x: Any) -> Any:
    import torch

    skips = []
    for down in downs:
        x = down(x)
        skips.append(x)
    for up in ups:
        x = up(torch.cat([x, skips.pop()], 1))
    return x


# --- 3.5: parameters -----------------------------------------------------------------------------


def _count(*size: int, **mistake: Any) -> int:
    return sum(_rows(*size, **mistake))


def _rows(
    levels: int, base: int, cap: int, *, doubled: str = "right", bias: bool = False,
    norms: str = "right", last_bias: bool = True, kernel: int = 16, capped: bool = True,
) -> list[int]:  # fmt: skip
    """Parameters of each block, downs and then ups; the options make well-known mistakes."""
    channels = [base * 2**i for i in range(levels)]
    if capped:
        channels = [min(c, cap) for c in channels]
    rows, inputs = [], 1
    each = {"none": 0, "one": 1}.get(norms, 2)  # numbers a channel of a norm
    for level, outputs in enumerate(channels):
        row = inputs * outputs * kernel + (outputs if bias else 0)
        inner = level < levels - 1 or norms in ("all", "innermost")
        if inner and (level > 0 or norms in ("all", "first")):
            row += each * outputs
        rows.append(row)
        inputs = outputs
    for level in reversed(range(levels)):
        once = doubled == "never" or (level == levels - 1 and doubled == "right")
        inputs = channels[level] * (1 if once else 2)
        outputs = channels[level - 1] if level else 2
        row = inputs * outputs * kernel
        row += outputs if (bias and level) or (last_bias and not level) else 0
        if level or norms in ("all", "last"):
            row += each * outputs
        rows.append(row)
    return rows


def _listed(rows: Sequence[int]) -> str:
    half = len(rows) // 2
    return "; ".join(", ".join(f"{row:,}" for row in part) for part in (rows[:half], rows[half:]))


def _test_parameters(parameters: Any) -> Flaw | None:
    for levels, base, cap in ((4, 8, 32), (8, 64, 512), (3, 64, 512)):
        size = (levels, base, cap)
        number = want_number(call(parameters, *size), "the number of parameters")
        right = _count(*size)
        mistakes = (
            (
                _count(*size, doubled="always"),
                Flaw(
                    "The innermost up block gets twice the channels too.",
                    "Nothing lies beside it: it gets only the innermost map.",
                ),
            ),
            (
                _count(*size, norms="innermost"),
                Flaw(
                    "You count a norm in the innermost down block.",
                    "Look at `middle` in SmallUNet: for which block is norm False?",
                ),
            ),
            (
                _count(*size, norms="first"),
                Flaw(
                    "You count a norm in the first down block.",
                    "Look at `first` in SmallUNet: which layers does it hold?",
                ),
            ),
            (
                _count(*size, norms="last"),
                Flaw(
                    "You count a norm in the last up block.",
                    "Look at output_block: which layers does it hold?",
                ),
            ),
            (
                _count(*size, norms="one"),
                Flaw(
                    "You count one parameter a channel for each norm.",
                    "What does a norm learn after it has normalized?",
                ),
            ),
            (
                _count(*size, doubled="never"),
                Flaw(
                    "The skips are not counted.",
                    "How many channels go into an up block that also gets a skip?",
                ),
            ),
            (
                _count(*size, bias=True),
                Flaw(
                    "You have counted a bias in every convolution.",
                    "Which of the blocks that you built has a convolution with a bias?",
                ),
            ),
            (
                _count(*size, norms="none"),
                Flaw(
                    "The norms are missing.",
                    "They are the second sum of the formula.",
                ),
            ),
            (
                _count(*size, norms="all"),
                Flaw(
                    "You have counted a norm in every block.",
                    "Three blocks have none. Look at SmallUNet and output_block.",
                ),
            ),
            (
                _count(*size, last_bias=False),
                Flaw(
                    f"Off by {int(right - number)}: the outermost up block's bias is missing.",
                    "It is the last term of the formula.",
                ),
            ),
            (
                _count(*size, kernel=9),
                Flaw("You have counted kernels of 3 × 3.", "How wide are the kernels here?"),
            ),
            (
                _count(*size, kernel=4),
                Flaw("You have counted 4 numbers a kernel.", "Its area counts, not its side."),
            ),
            (
                _count(*size, capped=False),
                Flaw("The channels grow without end.", "What is the argument cap for?"),
            ),
        )
        otherwise = Flaw(
            f"For levels={levels}, base={base}, cap={cap} you count {number:,.0f}; it should be "
            f"{right:,}.",
            f"Compare row by row: downs and ups have {_listed(_rows(*size))}.",
        )
        flaw = match(number, right, mistakes, otherwise, tolerance=0.5)
        # `match` allows a share of 1e-4, which is too much for a count
        if flaw is None and round(number) != right:
            flaw = next((h for wrong, h in mistakes if round(number) == wrong), otherwise)
        if flaw is not None:
            return flaw
    return None


# --- 3.6: a step of training ---------------------------------------------------------------------


@own_random
def _test_step(train_step: Any) -> Flaw | None:
    import torch
    from torch import nn

    net = nn.Conv2d(1, 2, 1)
    optimizer, order = spied_sgd(net, 0.5)
    twin, steps_right = nn.Conv2d(1, 2, 1), []
    batches = [(torch.rand(2, 1, 4, 4), torch.rand(2, 2, 4, 4)) for _ in range(2)]
    before = {name: value.detach().clone() for name, value in net.named_parameters()}
    losses = []
    for L, ab in batches:
        with torch.no_grad():
            prediction = net(L)
            losses.append(
                [float((prediction - ab).abs().mean()), float(((prediction - ab) ** 2).mean()),
                 float((prediction - ab).abs().sum())]
            )  # fmt: skip
        twin.load_state_dict(net.state_dict())  # net itself would call the hook
        (gradient,) = torch.autograd.grad((twin(L) - ab).abs().mean(), twin.weight)
        wanted = (twin.weight - 0.5 * gradient).detach()
        returned = call(train_step, net, optimizer, L, ab)
        steps_right.append(torch.allclose(net.weight, wanted, atol=1e-6))
        with torch.no_grad():
            later = float((net(L) - ab).abs().mean())
        if isinstance(returned, torch.Tensor) and returned.requires_grad:
            return Flaw(
                "You return a tensor that holds on to the whole graph: a list of them fills the "
                "memory.",
                "A method of the tensor gives the plain number.",
            )
        number = want_number(returned, "the loss")
        l1, l2, total = losses[-1]
        flaw = match(
            number,
            l1,
            (
                (l2, Flaw("That is the L2 loss.", "L1 does not square.")),
                (total, Flaw("That is the sum over all pixels.", "Look at the formula.")),
                (
                    later,
                    Flaw(
                        "That is the loss after the step.",
                        "Return the one that the step was taken for: it is computed already.",
                    ),
                ),
            ),
            Flaw(
                f"The loss should be {l1:.4f} here; yours is {number:.4f}.",
                "Follow the formula above: difference, absolute value, mean.",
            ),
            1e-5,
        )
        if flaw is not None:
            return flaw
    if "backward" not in order:
        return Flaw(
            "No gradient is computed.",
            "One call on the loss computes it. It comes before the step.",
        )
    moved = any(not torch.equal(value, before[name]) for name, value in net.named_parameters())
    if "step" not in order and moved:
        return Flaw(
            "The weights move, but not by the optimizer that came in.",
            "A new one for each step forgets what Adam has gathered: use the argument.",
        )
    if "step" not in order:
        return Flaw(
            "The gradient is there, and the weights stay as they are.",
            "Moving the weights is the optimizer's part.",
        )
    if steps_right == [True, False]:
        return Flaw(
            "The second step also goes along the first one's gradient: gradients add up.",
            "The old gradient has to be set to zero before the new one is computed.",
        )
    if order.index("step") < order.index("backward") and not steps_right[0]:
        return Flaw(
            "The step is taken before the gradient is there.", "Which call computes the gradient?"
        )
    first = order[order.index("backward") : order.index("step")]
    if "zero" in first and not steps_right[0]:
        return Flaw(
            "The gradient is thrown away between backward and step.",
            "Set the old gradient to zero where nothing that is still needed gets lost.",
        )
    if not all(steps_right):
        return Flaw(
            "The loss is right, but the step is not the one down this loss.",
            "Which loss did you call backward() on? How many steps did you take?",
        )
    if not net.training:
        return Flaw("The network is left in eval mode.", "Leave its mode to whoever calls you.")
    return None


# --- 3.4: the planted bug ------------------------------------------------------------------------


@own_random
def _test_output(output_block: Any) -> Flaw | None:
    import torch
    from torch import nn

    block = want_module(call(output_block, 6))
    layers = layers_of(block)
    conv = _only(layers, nn.ConvTranspose2d, "ConvTranspose2d")
    if conv.kernel_size != (4, 4):
        return Flaw("The convolution has changed.", "It was right: kernel 4, stride 2, padding 1.")
    x = 8 * torch.randn(2, 6, 4, 4)
    with torch.no_grad():
        result = want_tensor(block(x), what="the block's output")
        if tuple(result.shape) != (2, 2, 8, 8):
            return Flaw(
                f"A map of 4 × 4 with 6 channels became {tuple(result.shape)}.",
                "Two channels, a and b, of twice the size: (2, 2, 8, 8) here.",
            )
        raw = conv(torch.relu(x))
        mistakes = (
            (
                torch.relu(raw),
                Flaw(
                    "The bug is still in: nothing below 0 comes out.",
                    "a < 0 is green and b < 0 is blue. Which layer takes them away?",
                ),
            ),
            (
                torch.sigmoid(raw),
                Flaw(
                    "A sigmoid ends at 0 too: still no green and no blue.",
                    "ab / 110 lies on both sides of 0. Which function is a sigmoid, stretched to "
                    "−1 to 1?",
                ),
            ),
            (
                raw,
                Flaw(
                    f"Without a bound the outputs reach {float(raw.abs().max()):.1f}; ab / 110 "
                    "ends at 1.",
                    "Which activation maps any number into −1 to 1?",
                ),
            ),
            (
                torch.tanh(conv(x)),
                Flaw("The ReLU before the convolution is gone.", "It was not the bug: leave it."),
            ),
            (
                torch.relu(torch.tanh(raw)),
                Flaw(
                    "The ReLU beside the Tanh still cuts off what is negative.",
                    "Which of the two activations does the target need? Keep that one.",
                ),
            ),
        )
        bounded = bool(result.min() < -0.5 and result.abs().max() <= 1)
        if bounded and not any(isinstance(layer, nn.Tanh) for layer in layers):
            return Flaw(
                "It reaches from -1 to 1, with another function than the library's.",
                "Take nn.Tanh(), so that the two can be compared.",
            )
        otherwise = Flaw(
            f"The block's layers are {', '.join(type(layer).__name__ for layer in layers)}.",
            "Only one layer of the block with the bug has to change.",
        )
        flaw = match(result, torch.tanh(raw), mistakes, otherwise)
    if flaw is None and conv.bias is None:
        return Flaw(
            "The last convolution has lost its bias.",
            "No norm follows here that would bring one: leave bias as it is.",
        )
    return flaw


# --- 3.7: the expected loss -----------------------------------------------------------------------


def _test_expected(expected_loss: Any) -> Flaw | None:
    colors = np.array([[60.0, 45.0], [15.0, -50.0], [-55.0, 50.0]])
    shares = np.array([0.5, 0.3, 0.2])
    prediction = np.array([30.0, -5.0])
    away = np.abs(colors - prediction)
    for power in (1, 2):
        arguments = prediction.copy(), colors.copy(), shares.copy(), power
        result = call(expected_loss, *arguments, pure=True)
        if isinstance(result, np.ndarray) and result.shape == (3,):
            return Flaw(
                "That is one number a color.",
                "Weight each with its share, and sum them.",
            )
        if isinstance(result, np.ndarray) and result.shape == (2,):
            return Flaw(
                "That is one number for a and one for b.",
                "The inner sum of the formula is missing.",
            )
        number = want_number(result, "the expected loss")
        each = (away**power).sum(axis=1)
        signed = ((colors - prediction) ** power).sum(axis=1)
        mistakes = (
            (
                float(each.mean()),
                Flaw(
                    "All colors count alike.",
                    "What is the argument shares for?",
                ),
            ),
            (
                float((shares * signed).sum()),
                Flaw(
                    "Distances to either side cancel each other.",
                    "What stands between the bars in the formula?",
                ),
            ),
            (
                float((shares * away.sum(axis=1)).sum()),
                Flaw("The power is not used.", "Where does p stand in the formula?"),
            ),
            (
                float((shares * (away**2).sum(axis=1)).sum()),
                Flaw("That is L2 whatever the power is.", "The exponent is an argument."),
            ),
            (
                float((shares * np.sqrt((away**2).sum(axis=1))).sum()),
                Flaw(
                    "That is the length of the arrow between the colors.",
                    "The formula has no root.",
                ),
            ),
            (
                float((np.abs(shares @ colors - prediction) ** power).sum()),
                Flaw(
                    "You average the colors first, and then take the distance to the prediction.",
                    "First the loss for each color, then the weighted mean of the losses.",
                ),
            ),
            (
                float((shares * each).mean()),
                Flaw(
                    "Weighted, and then divided by the number of colors as well.",
                    "The shares sum to 1 already. Which of mean and sum fits?",
                ),
            ),
            (
                float((shares[:, None] * away**power).mean()),
                Flaw("You took the mean over colors again.", "The shares already are the weights."),
            ),
            (
                float((away**power).mean()),
                Flaw(
                    "You took one mean over everything, and the shares are not used.",
                    "Two steps: first over a and b, then over the colors. Which of them is a sum?",
                ),
            ),
            (
                float((shares * each).sum() / 2),
                Flaw(
                    "You took the mean over a and b: your result is half of what it should be.",
                    "Look at the inner part of the formula: what stands between a and b?",
                ),
            ),
        )
        otherwise = Flaw(
            f"For power {power} the expected loss should be "
            f"{float((shares * each).sum()):.2f} in this check; yours is {number:.2f}.",
            "Compute the inner sum for one color by hand, and compare.",
        )
        flaw = match(number, float((shares * each).sum()), mistakes, otherwise)
        if flaw is not None:
            return flaw
    halves = np.array([0.5, 0.5])
    two = want_number(call(expected_loss, prediction, colors[:2], halves, 1), "the loss")
    if abs(two - away[:2].sum() / 2) > 1e-6:
        return Flaw("With three colors it is right, with two it is not.", "Use all that come in.")
    return None


EXERCISES = (
    Exercise(
        name="3.1",
        title="The down block",
        difficulty=1,
        minutes=5,
        start=(
            "Read the docstring as a list of layers, in their order. "
            "Which of them depends on `norm`?"
        ),
        test=_test_down,
        solved="Half the size, more channels.",
    ),
    Exercise(
        name="3.2",
        title="The up block",
        difficulty=1,
        minutes=5,
        start=(
            "Compare with the down block: which of its three layers change? "
            "Then look up the arguments of nn.ConvTranspose2d."
        ),
        test=_test_up,
        solved="Twice the size: what one down block halves, one up block doubles.",
    ),
    Exercise(
        name="3.3",
        title="Walk the U",
        difficulty=3,
        minutes=15,
        start=(
            "Draw three blocks down and three up on paper, and number the maps in the order in "
            "which they are made. In which order are they needed on the way up?"
        ),
        test=_test_walk,
        solved="Two lists and two loops: that is the whole forward pass.",
    ),
    Exercise(
        name="3.4",
        title="The planted bug",
        difficulty=2,
        minutes=5,
        start=(
            "For each layer of the block with the bug, ask which numbers can come out of it. "
            "Which numbers can the target ab / 110 have?"
        ),
        test=_test_output,
        solved="An output that can't reach the target is a bug that no error message finds.",
    ),
    Exercise(
        name="3.5",
        title="Count the parameters",
        difficulty=1,
        minutes=5,
        start=(
            "Write the formula above as two sums over the lists `downs` and `ups`. "
            "Which blocks have no norm?"
        ),
        test=_test_parameters,
        solved="54,409,858 for pix2pix's own: now you know where each of them sits.",
    ),
    Exercise(
        name="3.6",
        title="One step of training",
        difficulty=1,
        minutes=5,
        start=(
            "Which four things happen in one step of training? Section 5 trained a network with "
            "the bug; the loop there holds them."
        ),
        test=_test_step,
        solved="The same four lines train every network of this course.",
    ),
    Exercise(
        name="3.7",
        title="What a prediction costs",
        difficulty=2,
        minutes=10,
        start=(
            "Take one color and compute its part of the formula by hand. "
            "Then let NumPy do it for all colors at once."
        ),
        test=_test_expected,
        solved="Now try all predictions and see which one is cheapest.",
    ),
)
