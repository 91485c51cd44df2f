"""The testers of lesson 04: sizes and fields by hand, the PatchGAN, its step, a norm, a bug."""

from __future__ import annotations

from typing import Any

from colorlab.course.checks.exercise import (
    Exercise,
    Flaw,
    call,
    layers_of,
    match,
    own_random,
    spied_sgd,
    want_module,
    want_number,
    want_tensor,
)

# --- 4.1: the size of the map --------------------------------------------------------------------

_70 = ((4, 2, 1), (4, 2, 1), (4, 2, 1), (4, 1, 1), (4, 1, 1))
_STACKS = (
    (256, _70),
    (71, _70),
    (66, ((3, 2, 0), (5, 1, 2), (4, 2, 1))),
    (60, ((3, 2, 1), (3, 2, 1), (3, 2, 1))),
)


def _sizes(size: int, layers: Any, rule: Any) -> float:
    for kernel, stride, padding in layers:
        size = rule(size, kernel, stride, padding)
    return size


def _way(size: int, layers: Any) -> str:
    """The sizes from the photo to the logits."""
    sizes = [
        _sizes(size, layers[:i], lambda n, k, s, p: (n + 2 * p - k) // s + 1)
        for i in range(len(layers) + 1)
    ]
    return ", ".join(map(str, sizes))


def _test_map_size(map_size: Any) -> Flaw | None:
    for size, layers in _STACKS:
        result = call(map_size, size, list(layers), pure=True)
        if isinstance(result, list | tuple):
            return Flaw("You return the sizes of all layers.", "Only the last one was asked for.")
        number = want_number(result, "the map's size")
        right = _sizes(size, layers, lambda n, k, s, p: (n + 2 * p - k) // s + 1)
        mistakes = (
            (
                _sizes(size, layers, lambda n, k, s, p: (n + 2 * p - k) // s),
                Flaw(
                    "Each layer comes out one too small.",
                    "The kernel's first position counts too. Try a kernel as wide as the photo.",
                ),
            ),
            (
                _sizes(size, layers, lambda n, k, s, p: (n + p - k) // s + 1),
                Flaw("The padding counts on one side only.", "It is added left and right."),
            ),
            (
                _sizes(size, layers, lambda n, k, s, p: (n - k) // s + 1),
                Flaw("The padding is not counted.", "It is added left and right."),
            ),
            (
                _sizes(size, layers, lambda n, k, s, p: n // s),
                Flaw(
                    "You divide only by the stride.",
                    "At stride 1 a kernel of 4 with padding 1 makes 31 of 32. Dividing does not.",
                ),
            ),
            (
                _sizes(size, layers, lambda n, k, s, p: (n + 2 * p - k) / s + 1),
                Flaw(
                    f"{number:g} is no whole number of logits.",
                    "Half a step does not count. Which division rounds down?",
                ),
            ),
            (
                _sizes(size, layers, lambda n, k, s, p: -((n + 2 * p - k) // -s) + 1),
                Flaw(
                    "You round up, or to the nearest.",
                    "A kernel that would reach beyond the rim is left out: which division rounds "
                    "down?",
                ),
            ),
            (
                _sizes(size, layers, lambda n, k, s, p: round((n + 2 * p - k) / s + 1)),
                Flaw("You round up, or to the nearest.", "Which division rounds down?"),
            ),
            (
                _sizes(size, layers[:1], lambda n, k, s, p: (n + 2 * p - k) // s + 1),
                Flaw(
                    "That is the size after the first layer.",
                    "Does `return` stand inside the loop?",
                ),
            ),
        )
        otherwise = Flaw(
            f"For a side of {size} and the layers {list(layers)} it should be {right}; yours is "
            f"{number:g}.",
            f"Print the size after each layer; here they go {_way(size, layers)}.",
        )
        flaw = match(number, right, mistakes, otherwise)
        if flaw is not None:
            return flaw
    return None


# --- 4.2: the receptive field --------------------------------------------------------------------


def _field(layers: Any) -> int:
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field


def _test_field(receptive_field: Any) -> Flaw | None:
    stacks = (((4, 2), (4, 2), (4, 2), (4, 1), (4, 1)), ((7, 1), (3, 2), (5, 3), (2, 1)))
    for layers in stacks:
        number = want_number(call(receptive_field, list(layers), pure=True), "the receptive field")
        field, jump = 1, 1
        for kernel, stride in layers:
            jump *= stride
            field += (kernel - 1) * jump
        early = field
        field, jump = 1, 1
        for kernel, stride in layers:
            field += kernel * jump
            jump *= stride
        whole = field
        zero = _field(layers) - 1
        flat = 1 + sum(kernel - 1 for kernel, _ in layers)
        product = 1
        for kernel, _ in layers:
            product *= kernel
        added, field, jump = 1, 1, 1
        for kernel, stride in layers:
            added += (kernel - 1) * jump
            jump += stride
        last, jump = 1, 1
        for kernel, stride in layers:
            last += (kernel - 1) * jump
            jump = stride
        mistakes = (
            (
                early,
                Flaw(
                    "The jump grows one layer too early.",
                    "A layer's own stride moves its outputs apart; its kernel still steps over the "
                    "inputs. So first the field, then the jump.",
                ),
            ),
            (zero, Flaw("You begin with 0.", "How many pixels does a number see without a layer?")),
            (
                whole,
                Flaw(
                    "Each layer adds its whole kernel.",
                    "One of the kernel's places was seen already. How many are new?",
                ),
            ),
            (
                flat,
                Flaw(
                    "The strides play no part.",
                    "After a stride of 2 neighbors lie 2 pixels apart. How far does the next "
                    "kernel "
                    "reach then?",
                ),
            ),
            (
                _field(layers[::-1]),
                Flaw(
                    "You walk the layers from the wrong end.",
                    "Field and jump grow from the photo to the logit. Which layer comes first?",
                ),
            ),
            (
                sum(kernel for kernel, _ in layers),
                Flaw("That is the sum of the kernels.", "Draw section 3's cone for two layers."),
            ),
            (
                added,
                Flaw("The strides are added up.", "How do two strides of 2 combine?"),
            ),
            (
                last,
                Flaw(
                    "Only the stride of the layer before counts.",
                    "All strides before it do.",
                ),
            ),
            (product, Flaw("That is the product of the kernels.", "Fields add.")),
        )
        otherwise = Flaw(
            f"For {list(layers)} it should be {_field(layers)}; yours is {number:g}.",
            "Print the field after each layer: it goes "
            f"{', '.join(str(_field(layers[: i + 1])) for i in range(len(layers)))}.",
        )
        flaw = match(number, _field(layers), mistakes, otherwise)
        if flaw is not None:
            return flaw
    return None


# --- 4.3: the PatchGAN ---------------------------------------------------------------------------


@own_random
def _test_patchgan(patchgan: Any) -> Flaw | None:
    import torch
    from torch import nn

    for inputs, base, depth in ((3, 4, 3), (2, 2, 5)):
        layers = layers_of(want_module(call(patchgan, inputs, base, depth), "the discriminator"))
        if isinstance(layers[-1], nn.Sigmoid):
            return Flaw(
                "It ends in a sigmoid.",
                "It should return logits: the losses own the sigmoid, where it can be computed "
                "without overflow.",
            )
        convs = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
        foreign = [
            layer
            for layer in layers
            if not isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.LeakyReLU)
        ]
        if foreign:
            return Flaw(
                f"There is a {type(foreign[0]).__name__} in it.",
                "Convolutions, batch norms and LeakyReLU(0.2) are all that it is made of; it "
                "returns a map of logits.",
            )
        strides = [conv.stride[0] for conv in convs]
        wanted = [2] * depth + [1, 1]
        if len(convs) != depth + 2:
            return Flaw(
                f"With layers={depth} there are {len(convs)} convolutions; it should be "
                f"{depth + 2}.",
                "As many of stride 2 as asked for, one of stride 1, and one that makes the logits.",
            )
        if strides != wanted:
            return Flaw(
                f"The strides are {strides}; with layers={depth} they should be {wanted}.",
                "One stride of 2 too many makes the field 94 instead of 70.",
            )
        if any(conv.kernel_size != (4, 4) or conv.padding != (1, 1) for conv in convs):
            return Flaw("A convolution is not 4 × 4 with padding 1.", "All of them are.")
        channels = [base * min(2**i, 8) for i in range(depth + 1)] + [1]
        found = [conv.out_channels for conv in convs]
        if found[-1] != 1:
            return Flaw(f"The last convolution has {found[-1]} channels.", "One logit a patch: 1.")
        if found != channels:
            return Flaw(
                f"The channels are {found}; they should be {channels}.",
                "base, doubled at each layer, never above 8 * base.",
            )
        norms = [i for i, layer in enumerate(layers) if isinstance(layer, nn.BatchNorm2d)]
        if norms and norms[0] == 1:
            return Flaw(
                "The first convolution is followed by a norm.",
                "It would take the photo's own contrast and tint away. The first has none.",
            )
        if len(norms) != depth:
            return Flaw(
                f"There are {len(norms)} batch norms; it should be {depth}.",
                "Which convolutions does the table give none?",
            )
        biases = [conv.bias is not None for conv in convs]
        if biases != [True] + [False] * depth + [True]:
            return Flaw(
                f"Which convolutions have a bias: {biases}.",
                "A norm subtracts a bias again. Which convolutions have no norm?",
            )
        wide = [layer.num_features for layer in layers if isinstance(layer, nn.BatchNorm2d)]
        if wide != channels[1:-1]:
            return Flaw(
                f"The norms are made for {wide} channels; {channels[1:-1]} reach them.",
                "nn.BatchNorm2d takes the number of channels of the convolution before it.",
            )
        leaky = [layer for layer in layers if isinstance(layer, nn.LeakyReLU)]
        found = {layer.negative_slope for layer in leaky}
        if found - {0.2}:
            return Flaw(
                f"A LeakyReLU multiplies what is negative by {max(found - {0.2})}.",
                "The table names another factor.",
            )
        if len(leaky) != depth + 1:
            return Flaw(
                f"There are {len(leaky)} LeakyReLU; with layers={depth} there should "
                f"be {depth + 1}.",
                f"Layers that are there: {', '.join(type(layer).__name__ for layer in layers)}.",
            )
        order = [type(layer).__name__[:4] for layer in layers]
        middle = ["Conv", "Batc", "Leak"] * depth
        if order != ["Conv", "Leak", *middle, "Conv"]:
            return Flaw(
                "The layers are all there, and not in their order.",
                "Convolution, norm, LeakyReLU: here the activation comes last.",
            )
        plain = all(conv.groups == 1 and conv.padding_mode == "zeros" for conv in convs)
        if not plain or any(not m.affine for m in layers if isinstance(m, nn.BatchNorm2d)):
            return Flaw(
                "A layer has an option that was not asked for (groups, padding_mode, affine).",
                "Leave everything but kernel, stride, padding and bias as it is.",
            )
        with torch.no_grad():
            built = call(patchgan, inputs, base, depth)
            x = torch.randn(2, inputs, 2**depth * 8, 2**depth * 8)
            logits = want_tensor(built(x), what="the logits")
            whole = nn.Sequential(*layers_of(built))(x)
        if logits.shape != whole.shape or not torch.allclose(logits, whole, atol=1e-4):
            return Flaw(
                "The layers are right, but the network does not send x through them alone.",
                "nn.Sequential sends x through all of them, one after the other.",
            )
    return None


# --- 4.4: one step -------------------------------------------------------------------------------


@own_random
def _test_step(discriminator_step: Any) -> Flaw | None:
    import torch
    import torch.nn.functional as F
    from torch import nn

    D, twin, generator = nn.Conv2d(3, 1, 3), nn.Conv2d(3, 1, 3), nn.Conv2d(1, 2, 1)
    optimizer, order = spied_sgd(D, 0.5)
    right_way: list[bool] = []
    for _ in range(2):
        L, real_ab = torch.rand(2, 1, 6, 6), 3 * torch.randn(2, 2, 6, 6)
        with torch.no_grad():
            real = D(torch.cat([L, real_ab], 1))
            fake = D(torch.cat([L, generator(L)], 1))
            turned = [
                D(torch.cat([real_ab, L], 1)), D(torch.cat([generator(L), L], 1))
            ]  # fmt: skip
        twin.load_state_dict(D.state_dict())  # D itself would call the hook
        cost = 0.5 * (
            F.softplus(-twin(torch.cat([L, real_ab], 1))).mean()
            + F.softplus(twin(torch.cat([L, generator(L).detach()], 1))).mean()
        )
        (gradient,) = torch.autograd.grad(cost, twin.weight)
        wanted = (D.weight - 0.5 * gradient).detach()
        fake_ab = generator(L)
        returned = call(discriminator_step, D, optimizer, L, real_ab, fake_ab)
        right_way.append(torch.allclose(D.weight, wanted, atol=1e-5))
        if isinstance(returned, torch.Tensor) and returned.requires_grad:
            return Flaw(
                "You return a tensor that holds on to its graph.",
                "A method of the tensor gives the plain number.",
            )
        number = want_number(returned, "the loss")

        def loss(on_real: Any, on_fake: Any, half: float = 0.5) -> float:
            return float(half * (F.softplus(-on_real).mean() + F.softplus(on_fake).mean()))

        probability = [torch.sigmoid(real), torch.sigmoid(fake)]
        mistakes = (
            (
                loss(real, fake, 1.0),
                Flaw("The loss is twice too large.", "Take half the sum of the two parts."),
            ),
            (
                loss(fake, real),
                Flaw(
                    "The targets have changed places: real photos are called fake.",
                    "Which target belongs to the logits of real photos?",
                ),
            ),
            (
                loss(*probability),
                Flaw(
                    "The sigmoid is taken twice.",
                    "Look at the loss's name: what does it expect?",
                ),
            ),
            (
                loss(*turned),
                Flaw(
                    "D sees [ab, L]: the channels stand in the wrong order.",
                    "The order is that of the docstring, everywhere in the course.",
                ),
            ),
            (
                float(F.softplus(-real).mean()),
                Flaw("Only the real photos count.", "The generated ones are the other half."),
            ),
            (
                float(F.softplus(fake).mean()),
                Flaw("Only the generated photos count.", "The real ones are the other half."),
            ),
            (
                0.5 * float(F.softplus(-real).mean()),
                Flaw("Only the real photos count.", "The generated ones are the other half."),
            ),
        )
        otherwise = Flaw(
            f"The loss should be {loss(real, fake):.4f} here; yours is {number:.4f}.",
            "Compute the two parts one by one, and compare each with the formula.",
        )
        flaw = match(number, loss(real, fake), mistakes, otherwise, 1e-5)
        if flaw is not None:
            return flaw
    if "backward" not in order:
        return Flaw("No gradient is computed.", "A call on the loss computes it, before the step.")
    if "step" not in order:
        return Flaw("D's weights stay as they are.", "Moving them is the optimizer's part.")
    between = order[order.index("backward") : order.index("step")]
    if right_way == [True, False] or ("zero" in between and not right_way[0]):
        return Flaw(
            "Gradients of several steps add up, or are thrown away too early.",
            "When does the old gradient have to be 0, and when is the new one needed?",
        )
    if order.count("step") > 2:
        return Flaw("D takes more than one step each time.", "One is due.")
    if not all(right_way) and generator.weight.grad is None:
        return Flaw(
            "The loss is right, but D's step is not the one down this loss.",
            "Is D's *output* detached, or computed under no_grad? Then D learns nothing from it. "
            "What must be cut off from its graph is D's input.",
        )
    if not fake_ab.requires_grad or not D.training:
        return Flaw(
            "Your step leaves something changed: D's mode, or fake_ab itself.",
            "detach() makes a new tensor; detach_() with a line at its end does not.",
        )
    if generator.weight.grad is not None:
        return Flaw(
            "The generator got a gradient too: to look *more* fake.",
            "Which input of D carries the generator's graph? Cut it off there.",
        )
    sure = nn.Conv2d(3, 1, 1)
    nn.init.constant_(sure.weight, -300.0)
    nn.init.zeros_(sure.bias)
    ones = torch.ones(1, 1, 2, 2), torch.ones(1, 2, 2, 2), -torch.ones(1, 2, 2, 2)
    still = torch.optim.SGD(sure.parameters(), lr=0.0)
    far = want_number(call(discriminator_step, sure, still, *ones), "the loss")
    if abs(far - 600) > 1:  # half of 900 for the real one and 300 for the fake
        return Flaw(
            f"For logits of -900 and 300 the loss should be 600; yours is {far:.0f}.",
            "A sigmoid by hand, and then its logarithm, fails far out. Which loss takes the logits "
            "themselves?",
        )
    return None


# --- 4.5: instance norm --------------------------------------------------------------------------


@own_random
def _test_instance(instance_norm: Any) -> Flaw | None:
    import torch

    x = 3 * torch.randn(4, 5, 3, 6) + torch.arange(5.0)[:, None, None]
    x = x * torch.arange(1.0, 5.0)[:, None, None, None]
    inputs = x.clone()
    result = want_tensor(call(instance_norm, inputs), shape=(4, 5, 3, 6), what="the result")
    if not torch.equal(inputs, x):
        return Flaw(
            "Your function has changed its argument x.",
            "`x -= ...` writes into it: use `x = x - ...`, or another name.",
        )

    def normed(dims: Any, unbiased: bool = False, eps: float = 1e-5, root: bool = True) -> Any:
        mean = x.mean(dims, keepdim=True)
        variance = x.var(dims, keepdim=True, unbiased=unbiased)
        return (x - mean) / ((variance + eps) ** (0.5 if root else 1.0))

    mistakes = (
        (
            normed((0, 2, 3)),
            Flaw(
                "That is batch norm: it takes mean and variance over the batch too.",
                "In (B, C, H, W), which dimensions make up one map?",
            ),
        ),
        (
            normed((1, 2, 3)),
            Flaw(
                "That is layer norm: all channels of a photo share one mean.",
                "In (B, C, H, W), which dimensions make up one map?",
            ),
        ),
        (
            normed((1,)),
            Flaw(
                "You normalize over the channels of each pixel.",
                "In (B, C, H, W), which dimensions make up one map?",
            ),
        ),
        (
            normed((2, 3), unbiased=True),
            Flaw(
                "Almost: the variance is divided by n - 1.",
                "Norms divide by n. x.var has an argument for that.",
            ),
        ),
        (
            normed((2, 3), root=False),
            Flaw("You divide by the variance.", "Which power of it has the unit of x?"),
        ),
        (
            x - x.mean((2, 3), keepdim=True),
            Flaw("The mean is 0; the variance is not 1.", "The formula has a denominator."),
        ),
        (
            x / torch.sqrt(x.var((2, 3), keepdim=True, unbiased=False) + 1e-5),
            Flaw("The variance is 1; the mean is not 0.", "The formula has a numerator."),
        ),
        (
            normed((0, 1, 2, 3)),
            Flaw("One mean for everything.", "Each map has its own."),
        ),
    )
    mean = result.mean((2, 3)).abs().max()
    otherwise = Flaw(
        f"Over each map the mean should be 0 and the variance 1; the largest mean is {mean:.2g}.",
        "Follow the formula; mean and variance run over one map.",
    )
    flaw = match(result, normed((2, 3)), mistakes, otherwise, 1e-5)
    if flaw is not None:
        return flaw
    leaf = (0.01 * torch.randn(2, 3, 6, 5)).requires_grad_()
    weight = torch.randn(2, 3, 6, 5)
    (wanted,) = torch.autograd.grad((torch.nn.functional.instance_norm(leaf) * weight).sum(), leaf)
    other = call(instance_norm, leaf)
    found = None
    if isinstance(other, torch.Tensor) and other.requires_grad:
        (found,) = torch.autograd.grad((other * weight).sum(), leaf, allow_unused=True)
    if found is None or not torch.allclose(found, wanted, rtol=1e-2, atol=1e-2):
        return Flaw(
            "Another map, with little contrast, comes out wrong, or its gradient does.",
            "Is 1e-5 added to the variance, under the root? Do mean and variance take part in the "
            "gradient?",
        )
    return None


# --- 4.6: the planted bug ------------------------------------------------------------------------


@own_random
def _test_loss(discriminator_loss: Any) -> Flaw | None:
    import torch
    import torch.nn.functional as F

    real, fake = 3 * torch.randn(2, 1, 5, 5) + 1, 3 * torch.randn(2, 1, 5, 5)
    logits = real.clone().requires_grad_(), fake.clone().requires_grad_()
    returned = call(discriminator_loss, *logits)
    number = want_number(returned, "the loss")

    def loss(on_real: Any, on_fake: Any) -> float:
        return 0.5 * float(F.softplus(-on_real).mean() + F.softplus(on_fake).mean())

    right = loss(real, fake)
    mistakes = (
        (
            loss(torch.sigmoid(real), torch.sigmoid(fake)),
            Flaw(
                "The bug is still in: no real photo costs less than 0.31.",
                "How large can the argument of binary_cross_entropy_with_logits get here, and how "
                "large should it be able to get?",
            ),
        ),
        (
            loss(fake, real),
            Flaw("Now real and fake have changed places.", "They were right as they stood."),
        ),
        (
            2 * right,
            Flaw("The half is gone.", "It was no bug: leave the division by 2."),
        ),
        (
            loss(torch.tanh(real), torch.tanh(fake)),
            Flaw("A tanh bounds the logits as the sigmoid did.", "What does the loss expect?"),
        ),
        (
            loss(real.clamp(0, 1), fake.clamp(0, 1)),
            Flaw("Clamping bounds the logits too.", "What does the loss expect?"),
        ),
        (
            loss(real, -fake),
            Flaw("Both get the target of real photos.", "Only one line was wrong."),
        ),
        (
            loss(torch.sigmoid(real), fake),
            Flaw("Half of the bug is still in.", "The same holds for the other line."),
        ),
        (
            loss(real, torch.sigmoid(fake)),
            Flaw("Half of the bug is still in.", "The same holds for the other line."),
        ),
    )
    otherwise = Flaw(
        f"For the check's logits the loss should be {right:.4f}; yours is {number:.4f}.",
        "Take something away rather than adding something.",
    )
    flaw = match(number, right, mistakes, otherwise, 1e-5)
    if flaw is not None:
        return flaw
    found: tuple[Any, ...] = (None, None)
    if isinstance(returned, torch.Tensor) and returned.requires_grad:
        found = torch.autograd.grad(returned, logits, allow_unused=True)
    wanted = -torch.sigmoid(-real) / real.numel() / 2, torch.sigmoid(fake) / fake.numel() / 2
    if any(
        one is None or not torch.allclose(one, other, atol=1e-6)
        for one, other in zip(found, wanted, strict=True)
    ):
        return Flaw(
            "The value is right, but no gradient can flow back to both of the two.",
            "Return the tensor itself, and detach nothing: D learns from real photos and fakes.",
        )
    far = torch.tensor([300.0, -300.0])
    if abs(float(call(discriminator_loss, far, far)) - 150) > 1:
        return Flaw(
            "For logits of 300 and -300 it should be 150.",
            "A clamp, or a logarithm of a sigmoid, fails far out. Which function does not?",
        )
    return None


EXERCISES = (
    Exercise(
        name="4.1",
        title="The size of the map",
        difficulty=1,
        minutes=5,
        start=(
            "What does the first layer make of 256 pixels? Compute it by hand with the formula, "
            "then the "
            "second layer from that."
        ),
        test=_test_map_size,
        solved="256 pixels, 30 × 30 logits.",
    ),
    Exercise(
        name="4.2",
        title="The receptive field",
        difficulty=2,
        minutes=10,
        start=(
            "Write down field and jump after each of pix2pix's five layers, by hand. "
            "Which of the two changes first within a layer?"
        ),
        test=_test_field,
        solved="16, 34, 70, 142, 286: now these are your numbers.",
    ),
    Exercise(
        name="4.3",
        title="Build the PatchGAN",
        difficulty=2,
        minutes=15,
        start=(
            "Walk down the table for layers=3 and base=64, and write down kernel, stride, bias and "
            "channels of each convolution. What changes from row to row?"
        ),
        test=_test_patchgan,
        solved="No 70 stands anywhere in it, and yet each of its logits sees 70 pixels.",
    ),
    Exercise(
        name="4.4",
        title="One step of the discriminator",
        difficulty=2,
        minutes=10,
        start=(
            "How often does D look in one step, and at what? "
            "Which of the tensors that it sees has a graph attached?"
        ),
        test=_test_step,
        solved="Half of the adversarial step is written; lesson 06 writes the other half.",
    ),
    Exercise(
        name="4.5",
        title="Instance norm",
        difficulty=2,
        minutes=5,
        start=(
            "In (B, C, H, W), which dimensions make up one map? "
            "The formula above wants one mean and one variance for each."
        ),
        test=_test_instance,
        solved="Each photo is normalized by itself.",
    ),
    Exercise(
        name="4.6",
        title="The planted bug",
        difficulty=1,
        minutes=5,
        start=(
            "Follow one logit, say 300, through the function with the bug. What does each line "
            "make of it?"
        ),
        test=_test_loss,
        solved="A loss with a floor above 0 is worth a look at once.",
    ),
)
