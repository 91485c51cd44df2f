"""The quiz of lesson 04."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "Where in the code of a 70 × 70 PatchGAN are the photos cut into patches?",
        (
            Option(
                "Before the first layer, with a stride of 8.",
                "That would give the same patches at a far higher cost, without sharing work.",
            ),
            Option(
                "Nowhere: it is a plain stack of convolutions.",
                "Each number of its last map depends on 70 × 70 pixels (and, through the norms, on "
                "the mean and spread of the rest).",
                True,
            ),
            Option(
                "In the loss, which splits the map.",
                "The loss takes the mean over the map; the map is there before.",
            ),
        ),
    ),
    Question(
        "You add a fourth layer of stride 2 behind the three, before the two of stride 1. What "
        "happens to the field of 70?",
        (
            Option("It becomes 142.", "Twice as far, and a little more: 2 · 70 + 2.", True),
            Option(
                "It becomes 94.", "So it would if the new layer stood at the very end: 24 more."
            ),
            Option("It stays at 70: padding makes up for it.", "Padding moves fields, no more."),
        ),
    ),
    Question(
        "D sees ab alone. Which fake can it not tell from a real photo, however long it trains?",
        (
            Option("A gray photo.", "ab = 0 everywhere is easily seen."),
            Option("A photo with its colors doubled.", "Too strong colors are seen in ab."),
            Option(
                "A photo with the colors of another real photo.",
                "Those are real colors. That they don't fit L can only be seen beside L.",
                True,
            ),
        ),
    ),
    Question(
        "A discriminator with batch norm is right on 98 % of all patches while it trains, and "
        "calls nearly every real photo fake once in eval mode. What went wrong?",
        (
            Option(
                "Real and fake photos came in separate batches, so it could tell batches apart.",
                "In training each batch is normalized by its own statistics; alone, a photo gets "
                "the mixture of both.",
                True,
            ),
            Option(
                "It has too few parameters.",
                "Then it would do badly in training as well.",
            ),
            Option(
                "eval() switches off the gradients.",
                "It does not. It makes batch norm use its running averages.",
            ),
        ),
    ),
    Question(
        "Why does fake_ab get a detach() in the discriminator's step?",
        (
            Option(
                "Because D would not learn otherwise.",
                "D's own gradient is the same with and without it.",
            ),
            Option(
                "So that no gradient of D's loss reaches the generator.",
                "It would teach it to be recognized, and cost a backward pass through it.",
                True,
            ),
            Option(
                "So that the colors stay in −1..1.",
                "detach changes no value at all.",
            ),
        ),
    ),
)
