"""What an exercise is, and the tools its tester is written with.

A lesson's testers stand in ``colorlab/course/checks/lessonNN.py``, which holds one tuple
``EXERCISES``. A tester gets the learner's object and returns ``None`` where it is right, or the
`Flaw` that fits the mistake. It may also raise: `NotYet` carries a flaw from deep inside (the
helpers below do that), and any other exception is explained to the learner by
`colorlab.course.checks`.

    def _test(to_gray):
        photo = ...
        gray = want_array(call(to_gray, photo), shape=(4, 6), what="the gray photo")
        if ...:
            return Flaw("The rows are upside down.", "Axis 0 runs from the top down.")
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from colorlab.course.checks.limit import unlimited


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a solution, and the next step."""

    mistake: str
    advice: str = ""


class NotYet(Exception):
    """Ends a tester from anywhere inside it; carries the flaw."""

    def __init__(self, mistake: str, advice: str = "") -> None:
        super().__init__(mistake)
        self.flaw = Flaw(mistake, advice)


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lesson.

    name: "0.1", the lesson's number and the exercise's; difficulty: 1 to 3; minutes: as on the
    label of the cell; start: the first step, printed for a stub that nobody has touched; test: the
    tester; solved: one sentence for who got it right; seconds: after this long the solution counts
    as one that does not end.
    """

    name: str
    title: str
    difficulty: int
    minutes: int
    start: str
    test: Callable[[Any], Flaw | None]
    solved: str = ""
    seconds: float = 20.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d+\.\d+", self.name):
            raise ValueError(f'An exercise is named like "3.2", not {self.name!r}.')
        if self.difficulty not in (1, 2, 3):
            raise ValueError(f"{self.name}: difficulty is 1, 2 or 3, not {self.difficulty!r}.")

    @property
    def lesson(self) -> str:
        """The lesson's number with two digits, as in the notebook's name: "03"."""
        return f"{int(self.name.split('.')[0]):02d}"

    @property
    def label(self) -> str:
        """Difficulty and time as on the cell: "●●○ · 10 min"."""
        return "●" * self.difficulty + "○" * (3 - self.difficulty) + f" · {self.minutes} min"


def call(function: Any, *arguments: Any, pure: bool = False) -> Any:
    """``function(*arguments)``, with the learner's usual slips recognized first.

    `pure`: arrays, tensors and lists that go in must come out as they were.

    Raises `NotYet` where the object is no function, takes another number of arguments, or gives
    back nothing or a generator. What the function itself raises passes through.
    """
    if not callable(function):
        raise NotYet(
            f"check() got {describe(function)}, but it needs the function itself.",
            "Pass the name without parentheses: check(..., my_function), not my_function(...).",
        )
    name = name_of(function)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-ins have none; then the call itself will show it
        signature = None
    if signature is not None:
        try:
            signature.bind(*arguments)
        except TypeError as error:
            raise NotYet(
                f"{name}{signature} can't be called with {len(arguments)} argument(s): {error}.",
                "Keep the first line of the function as it stood in the stub.",
            ) from None
    before = [_copied(argument) for argument in arguments] if pure else []
    result = function(*arguments)
    if not all(_same(*pair) for pair in zip(before, arguments, strict=False)):
        raise NotYet(
            f"{name} has changed its arguments.",
            "Make something new: `x = x - mean` instead of `x -= mean`, and no pop() on a list.",
        )
    if result is None:
        raise NotYet(
            f"{name} gave back nothing (None).",
            "A function hands over its result with `return`; print or show is not enough.",
        )
    if inspect.isgenerator(result) or inspect.iscoroutine(result):
        result.close()
        raise NotYet(
            f"{name} gave back {describe(result)}.", "Use `return`, not `yield` or `async`."
        )
    # An array of a class of its own could compare as it likes.
    return np.asarray(result) if isinstance(result, np.ndarray) else result


def _copied(argument: Any) -> Any:
    if isinstance(argument, np.ndarray | list):
        return argument.copy()
    return argument.detach().clone() if hasattr(argument, "detach") else argument


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, list):
        return len(before) == len(after) and all(a is b for a, b in zip(before, after, strict=True))
    if hasattr(before, "shape"):
        same = before.shape == after.shape and before.dtype == after.dtype
        return bool(same and (before == after).all())
    return True


def own_random(test: Callable[[Any], Flaw | None]) -> Callable[[Any], Flaw | None]:
    """A tester whose torch starts from seed 0 with gradients on, and leaves both as they were."""

    @functools.wraps(test)
    def forked(solution: Any) -> Flaw | None:
        with unlimited():
            import torch

        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(0)
            return test(solution)

    return forked


def load_optimizers() -> None:
    """Have torch import what its first optimizer needs: seconds, which count as nobody's time."""
    with unlimited():
        import torch

        torch.optim.SGD([torch.zeros(1)], lr=1.0)


def spied_sgd(net: Any, rate: float) -> tuple[Any, list[str]]:
    """SGD for a network with one `weight`, and a list of its "zero", "backward" and "step"."""
    import torch

    load_optimizers()
    order: list[str] = []

    class Spy(torch.optim.SGD):
        def step(self, *args: Any, **options: Any) -> Any:
            order.append("step")
            return super().step(*args, **options)

        def zero_grad(self, *args: Any, **options: Any) -> None:
            order.append("zero")
            super().zero_grad(*args, **options)

    net.weight.register_hook(lambda gradient: order.append("backward"))
    return Spy(net.parameters(), lr=rate), order


def want_module(value: Any, what: str = "your block") -> Any:
    """`value` itself if it is an ``nn.Module``; raises `NotYet` with what came instead."""
    from torch import nn

    if isinstance(value, type) and issubclass(value, nn.Module):
        raise NotYet(
            f"{_capital(what)} is the class {value.__name__} itself.",
            "Make one of it: put parentheses behind the name.",
        )
    if isinstance(value, list | tuple):
        raise NotYet(
            f"{_capital(what)} is {describe(value)}.",
            "nn.Sequential(a, b, c) makes one module of several: no list, but commas.",
        )
    if not isinstance(value, nn.Module):
        raise NotYet(
            f"A torch module was expected for {what}; it is {describe(value)}.",
            "Return nn.Sequential(...) with the layers in it.",
        )
    return value


def layers_of(module: Any) -> list[Any]:
    """The layers inside a module that hold no others, in their order.

    A layer that stands there twice counts twice; ``nn.Identity`` does nothing and is left out.
    """
    parts = [part for _, part in module.named_modules(remove_duplicate=False)]
    leaves = [part for part in parts if not list(part.children())]
    return [part for part in leaves if type(part).__name__ != "Identity"]


def want_array(
    value: Any,
    *,
    shape: tuple[int, ...] | None = None,
    dtype: Any = None,
    what: str = "your result",
) -> np.ndarray:
    """`value` itself if it is a NumPy array of this shape and dtype without NaN.

    Raises `NotYet` with what came instead.
    """
    if not isinstance(value, np.ndarray):
        root = type(value).__module__.split(".")[0]
        advice = {
            "torch": "It is a torch tensor: .numpy() makes the array.",
            "PIL": "It is a Pillow image: np.asarray(image) makes the array.",
            "builtins": "Work on the arrays that came in; np.array(...) makes one of a list.",
        }.get(root, "Work on the arrays that came in and return the result.")
        raise NotYet(f"A NumPy array was expected for {what}; it is {describe(value)}.", advice)
    if shape is not None and value.shape != shape:
        raise NotYet(
            f"{_capital(what)} should have the shape {shape}; it has {value.shape}.",
            "Print the .shape of each array on the way and look where it changes.",
        )
    if dtype is not None and value.dtype != np.dtype(dtype):
        raise NotYet(
            f"{_capital(what)} should be {np.dtype(dtype)}; it is {value.dtype}.",
            f"Make it with .astype(np.{np.dtype(dtype)}), or don't change the kind on the way.",
        )
    if value.dtype.kind in "fc" and not np.isfinite(value).all():
        count = int((~np.isfinite(value)).sum())
        raise NotYet(
            f"{count} of {value.size} numbers in {what} are NaN or infinite.",
            "Look for a division by zero, or for a root or logarithm of a number below zero.",
        )
    return value


def want_tensor(
    value: Any, *, shape: tuple[int, ...] | None = None, what: str = "your result"
) -> Any:
    """`value` itself if it is a torch tensor of this shape with finite floats.

    Raises `NotYet` with what came instead.
    """
    import torch  # here, not above: testers of NumPy exercises load without torch

    if not isinstance(value, torch.Tensor):
        advice = {
            "numpy": "It is a NumPy array: compute with torch from the start (torch.stack, "
            "torch.where, ...), since an array carries no gradient.",
            "builtins": "Work on the tensors that came in; torch.stack makes one of several.",
        }.get(type(value).__module__.split(".")[0], "Work on the tensors that came in.")
        raise NotYet(f"A torch tensor was expected for {what}; it is {describe(value)}.", advice)
    if shape is not None and tuple(value.shape) != tuple(shape):
        raise NotYet(
            f"{_capital(what)} should have the shape {tuple(shape)}; it has {tuple(value.shape)}.",
            "Print the .shape of each tensor on the way and look where it changes.",
        )
    if not value.is_floating_point():
        raise NotYet(
            f"{_capital(what)} should hold floats; its kind is {value.dtype}.",
            "A comparison or a whole number came out where a float is due: .float() makes it one.",
        )
    if not bool(torch.isfinite(value.detach()).all()):
        count = int((~torch.isfinite(value.detach())).sum())
        raise NotYet(
            f"{count} of {value.numel()} numbers in {what} are NaN or infinite.",
            "Look for a division by zero, or for a root or logarithm of a number below zero.",
        )
    return value


def want_number(value: Any, what: str = "your result") -> float:
    """`value` as a float if it is one finite number: Python's, or of NumPy or torch.

    Raises `NotYet` with what came instead.
    """
    number = value
    if type(value).__module__.split(".")[0] in ("numpy", "torch"):
        if getattr(value, "shape", ()) not in ((), (1,)):
            raise NotYet(
                f"One number was expected for {what}; it is {describe(value)}.",
                "A mean over everything, .mean() without arguments, leaves one number.",
            )
        number = value.item()
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise NotYet(
            f"One number was expected for {what}; it is {describe(value)}.",
            "Return only the number, such as 0.5.",
        )
    if not math.isfinite(number):
        raise NotYet(
            f"{_capital(what)} is {number}.",
            "Look for a division by zero, or for a root or logarithm of a number below zero.",
        )
    return float(number)


def match(
    result: Any,
    right: Any,
    mistakes: Sequence[tuple[Any, Flaw]],
    otherwise: Flaw,
    tolerance: float = 1e-4,
) -> Flaw | None:
    """None where `result` is `right`; else the flaw of the mistake that gives this result.

    Args:
        result: what the learner's code gave: an array, a tensor or a number.
        right: the same, as it should be.
        mistakes: what well-known mistakes give, each with its flaw; the first that fits is used.
        otherwise: the flaw where none of them fits.
        tolerance: the largest difference that counts as none, beside 1e-4 of the number itself.
    """
    found = _plain(result)

    def is_(other: Any) -> bool:
        other = _plain(other)
        return found.shape == other.shape and np.allclose(
            found, other, rtol=1e-4, atol=tolerance, equal_nan=True
        )

    if is_(right):
        return None
    return next((flaw for wrong, flaw in mistakes if is_(wrong)), otherwise)


def match_tensor(
    result: Any,
    right: Any,
    mistakes: Sequence[tuple[Any, Flaw]],
    what: str,
    told: Callable[..., str],
    advice: str,
) -> Flaw | None:
    """`match` for a tensor; what a known mistake gives may hold NaN or have another shape.

    told: names one number of the result, by its indices; it and advice tell the worst number
    where no mistake fits.
    """
    import torch

    other = Flaw("")
    if isinstance(result, torch.Tensor) and result.is_floating_point():
        flaw = match(result, right, mistakes, other)
        if flaw is not other:
            return flaw
    found = want_tensor(result, shape=tuple(right.shape), what=what)
    worst = (found.detach() - right).abs().argmax()
    at = tuple(int(i) for i in torch.unravel_index(worst, right.shape))
    return Flaw(f"{told(*at)} should be {right[at]:.4f}; yours is {found[at]:.4f}.", advice)


def _plain(value: Any) -> np.ndarray:
    """An array, tensor or number as a float64 array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value, dtype=np.float64)


def describe(value: Any) -> str:
    """A few words for any object: its kind, and the shape where it has one. Never raises."""
    try:
        if value is None or value is Ellipsis:
            return repr(value)
        kind = type(value).__name__
        root = type(value).__module__.split(".")[0]
        if root in ("numpy", "torch") and hasattr(value, "shape") and hasattr(value, "dtype"):
            owner = {"ndarray": "NumPy array", "Tensor": "torch tensor"}.get(kind, kind)
            return f"a {owner} of shape {tuple(value.shape)} and kind {value.dtype}"
        if isinstance(value, bool | int | float | complex):
            return f"the number {value!r}" if not isinstance(value, bool) else repr(value)
        if isinstance(value, str):
            return "the text " + repr(value if len(value) <= 40 else value[:37] + "...")
        if isinstance(value, list | tuple | dict | set):
            return f"a {kind} with {len(value)} entries"
        return f"an object of the type {kind}"
    except Exception:  # the object is the learner's: anything in it may raise
        return "an object that can't be described"


def name_of(thing: Any) -> str:
    """The name of a function or class; "your code" where it has none. Never raises."""
    try:
        name = thing.__name__
        return name if isinstance(name, str) and name != "<lambda>" else "your function"
    except Exception:
        return "your code"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
