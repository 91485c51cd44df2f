"""The quiz of lesson 01."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "A fine pattern of black and white pixels, 0 and 255, is replaced by one flat gray. Which "
        "value must the gray have in the file to give as much light?",
        (
            Option("128", "That is the mean of the values. It gives only a fifth of the light."),
            Option(
                "188", "Half the light, encoded again: 1.055 · 0.5^(1/2.4) − 0.055 = 0.735.", True
            ),
            Option("255", "That is as bright as the white pixel alone, twice too much."),
        ),
    ),
    Question(
        "A pixel has a = b = 0. What do you know of it?",
        (
            Option("It is black.", "How dark it is stands in L, which may be anything."),
            Option(
                "It is gray: its R, G and B are equal.",
                "Both differences vanish when X, Y and Z have white's proportions.",
                True,
            ),
            Option("sRGB can't show it.", "All grays from black to white are in the gamut."),
        ),
    ),
    Question(
        "Why does a colorizer predict ab rather than RGB?",
        (
            Option(
                "Because Lab has fewer numbers than RGB.",
                "Both have three. But one of Lab's is the input itself.",
            ),
            Option(
                "Because networks can't output values above 1.",
                "ab is scaled to −1..1 as RGB would be; the range is not the point.",
            ),
            Option(
                "Because L is known: only two numbers are left to predict, and the detail can't be "
                "spoiled.",
                "The picture is put together from the known L and the predicted ab.",
                True,
            ),
        ),
    ),
    Question(
        "Your Lab conversion returns right values, and the network's weights become nan in the "
        "first step. The most likely place?",
        (
            Option(
                "The cube root at black pixels: torch.where passes 0 · ∞ on.",
                "The branch that was not chosen still takes part in the gradient. Clamp its input.",
                True,
            ),
            Option(
                "The matrix product in half precision.",
                "It would make colors coarse, but not nan.",
            ),
            Option(
                "Colors outside of the gamut.",
                "Clipping has the gradient 0 there, which is harmless.",
            ),
        ),
    ),
    Question(
        "A network was trained on L / 50 − 1. You feed it photo.convert('L') / 127.5 − 1. What "
        "happens?",
        (
            Option("An error: the ranges differ.", "Both lie in −1..1, so nothing complains."),
            Option(
                "Nothing: both are the gray photo.",
                "Luma is a sum of coded values, L comes from light: 50 against 53 for mid gray, "
                "11 against 32 for pure blue.",
            ),
            Option(
                "It runs, and the colors are a little wrong.",
                "It sees a photo with other contrasts than those it learned from.",
                True,
            ),
        ),
    ),
)
