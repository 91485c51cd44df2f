"""The quiz of lesson 01."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "A program blurs a night photo of small white lamps by averaging the values of the file. A "
        "lens that is out of focus blurs the light itself. How do the two differ?",
        (
            Option(
                "The program's spots are too light.",
                "The curve sags below the diagonal, so an average of values is darker.",
            ),
            Option(
                "The program's spots are too dark.",
                "An average of coded values stands for less light than the average of the light: "
                "128 is a fifth of 255.",
                True,
            ),
            Option(
                "Not at all: an average is an average.",
                "The two average different things. Light adds up; the values of a file don't.",
            ),
        ),
    ),
    Question(
        "A codec stores L at full size, and a and b at half the width and half the height. How "
        "many of the numbers are left, and what is seen of it?",
        (
            Option(
                "Half of them, and the photo is blurred.",
                "The number is right. A photo looks blurred where L is coarse; here L is whole.",
            ),
            Option(
                "A quarter of them, and hardly anything is seen.",
                "L keeps all of its numbers, and they alone are a third of the total.",
            ),
            Option(
                "Half of them, and hardly anything is seen.",
                "1 + 1/4 + 1/4 of 3 channels. The detail is in L, and L is whole.",
                True,
            ),
        ),
    ),
    Question(
        "A network asks for Lab (85, 60, −60). The file that you save has an L of 80.8. What "
        "happened?",
        (
            Option(
                "The network changed L, although it was given.",
                "It answers with a and b alone. L was changed on the way to the file.",
            ),
            Option(
                "sRGB has no such color, and each channel was clipped.",
                "Clipping moves lightness and hue too. fit_gamut keeps L and lowers the chroma.",
                True,
            ),
            Option(
                "Rounding to 8 bits.",
                "That moves L by a few tenths at most, not by four.",
            ),
        ),
    ),
    Question(
        "A loss takes torch.sqrt(da² + db²) of each pixel, where da and db are the errors of a and "
        "b. Its values are right. One day a pixel is predicted exactly, and all weights become "
        "nan. Why?",
        (
            Option(
                "The derivative of the root at 0 is infinite, and it is multiplied by 0.",
                "2 · da is 0 there, and 0 · ∞ is not a number. Keep the root's input away from 0.",
                True,
            ),
            Option(
                "The root of 0 is not a number.",
                "It is 0, and the values of the loss are right. Only the gradient is not.",
            ),
            Option(
                "The pixel lies outside of the gamut.",
                "Clipping has the gradient 0 there, which is finite.",
            ),
        ),
    ),
    Question(
        "A network was trained on L / 50 − 1. You feed it photo.convert('L') / 127.5 − 1, and put "
        "its ab on that gray. What happens?",
        (
            Option("An error: the ranges differ.", "Both lie in −1..1, so nothing complains."),
            Option(
                "Nothing: both are the gray photo.",
                "Luma is a sum of coded values, L comes from light: 50 against 53 for mid gray, "
                "11 against 32 for pure blue.",
            ),
            Option(
                "It runs, and strong colors come out too dark.",
                "Luma is darker than L where colors are strong, so even the true ab come out "
                "too dark on it.",
                True,
            ),
        ),
    ),
)
