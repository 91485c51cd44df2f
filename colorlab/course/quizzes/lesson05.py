"""The quiz of lesson 05."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "Turquoise skies: their density is 0.01 in real photos and 0.09 among the generator's. The "
        "discriminator is trained until nothing improves it any more. Which probability of being "
        "real does it give to such a sky?",
        (
            Option(
                "0.01",
                "That is how frequent it is in real photos. D also knows how often G makes it.",
            ),
            Option(
                "0.1",
                "0.01 / (0.01 + 0.09): of ten such skies one is real.",
                True,
            ),
            Option(
                "0, since G makes it far more often.",
                "Then each real one would cost −log 0, which is infinite.",
            ),
        ),
    ),
    Question(
        "A colleague trains with least squares and halves D's loss. It has stood near 0.25 for an "
        "hour. What does that say?",
        (
            Option(
                "D is right three times in four.",
                "The loss is no share of right answers: it is a mean of squares.",
            ),
            Option(
                "D gives outputs near 0.5, and can't tell real from fake.",
                "0.5² for each of the two parts, and half of their sum: 0.25.",
                True,
            ),
            Option(
                "D is better than one with BCE, where the loss would be 0.69.",
                "0.69 is what BCE costs a D that can't tell either. Losses of two kinds don't "
                "compare.",
            ),
        ),
    ),
    Question(
        "A recipe halves D's loss and trains with Adam. You replace Adam by plain SGD and keep the "
        "factor. What becomes of it?",
        (
            Option(
                "Nothing: a constant factor cancels.",
                "It cancels in Adam, which divides by the gradient's own size. SGD does not.",
            ),
            Option(
                "Now it halves D's steps.",
                "With SGD a step is the learning rate times the gradient, and that is halved.",
                True,
            ),
            Option(
                "It makes D's steps four times smaller, as Adam squares the gradient.",
                "The square stands under a root in Adam, and SGD has none.",
            ),
        ),
    ),
    Question(
        "Somebody measures ab in Lab units, from −110 to 110, and keeps λ = 100. The pictures turn "
        "out pale. Why?",
        (
            Option(
                "L1 is 110 times larger now, and outweighs D.",
                "In units of ab/110 that is λ = 11,000: the median of the possible colors wins.",
                True,
            ),
            Option(
                "D can't read such large inputs.",
                "D could scale them in its first layer. What has changed is the sum of two terms.",
            ),
            Option(
                "λ is too small for such large numbers.",
                "It is the other way round: larger numbers make L1 weigh more.",
            ),
        ),
    ),
    Question(
        "In a program for faces the generator's hinge loss reads relu(1 − logit). Which fakes no "
        "longer improve?",
        (
            Option(
                "Those that D recognizes with certainty, at a logit of −5.",
                "There the relu is open and the gradient is −1, the full one.",
            ),
            Option(
                "None: D has the same relu, and it learns.",
                "D's relu is meant to stop it. G is to gain from every larger logit.",
            ),
            Option(
                "Those whose logit is above 1 already.",
                "Beyond 1 the relu is 0 and so is its gradient, though D may still have a lead.",
                True,
            ),
        ),
    ),
)
