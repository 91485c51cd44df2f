"""The quiz of lesson 04."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "You want a PatchGAN of 34 × 34 instead of 70 × 70. What do you change in the code?",
        (
            Option(
                "Cut the photos into patches of 34 pixels before the first layer.",
                "No patch is ever cut. The stack of convolutions sees them by its shape.",
            ),
            Option(
                "Take out one of the layers of stride 2.",
                "The field is a matter of kernels and strides alone: 1, 4, 10, 22, 34.",
                True,
            ),
            Option(
                "Take the mean of the loss over 34 × 34 logits.",
                "The loss takes the mean over the map. That does not change what a logit sees.",
            ),
        ),
    ),
    Question(
        "You add a fourth layer of stride 2 after the three, before the two of stride 1. What "
        "happens to the field of 70?",
        (
            Option("It becomes 142.", "Twice as far, and a little more: 2 · 70 + 2.", True),
            Option(
                "It becomes 94.", "So it would if the new layer stood at the very end: 24 more."
            ),
            Option(
                "It stays at 70: padding makes up for it.",
                "Padding shifts a patch. Its size stays.",
            ),
        ),
    ),
    Question(
        "A network turns sketches of shoes into photos. Its discriminator sees the photo alone, "
        "without "
        "the sketch. Which fault can it never notice?",
        (
            Option(
                "A blurred shoe.", "Real photos are sharp, so blur is seen in the photo itself."
            ),
            Option("A shoe in an impossible color.", "The photo alone shows it."),
            Option(
                "A perfect photo of a different shoe.",
                "It is a real photo. That it does not fit can only be seen beside the sketch.",
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
        "You forget fake_ab.detach() in D's step, and G's optimizer never calls zero_grad. What "
        "does "
        "G's next step do?",
        (
            Option(
                "Nothing unusual: D's step is over.",
                "D's backward went on into G. Its gradient stays there until it is set to zero.",
            ),
            Option(
                "It also moves G toward colors that D recognizes as fake.",
                "D's loss is small where fakes are recognized, and its gradient has reached G.",
                True,
            ),
            Option(
                "It moves D's weights as well.",
                "An optimizer moves only the parameters that it was given.",
            ),
        ),
    ),
)
