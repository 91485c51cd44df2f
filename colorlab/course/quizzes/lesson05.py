"""The quiz of lesson 05."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "The generator is bad, and D gives its pictures a logit of −6. Which of G's losses still "
        "has a useful gradient there?",
        (
            Option(
                "log(1 − D), the minimax loss.",
                "Its gradient is sigmoid(−6) = 0.0025: it saturates just where G needs it most.",
            ),
            Option(
                "−log D, the non-saturating one.",
                "Its gradient is sigmoid(6) = 0.998, nearly the largest it can have.",
                True,
            ),
            Option(
                "Neither.",
                "The two have the same aim and very different gradients; one of them is near 1.",
            ),
        ),
    ),
    Question(
        "D can't tell real from generated pictures at all. What is its BCE loss, half the sum?",
        (
            Option("0.5", "That is its probability. The loss is −log 0.5."),
            Option("0.69", "−log 0.5 = 0.693 for each part, and half of the sum of two.", True),
            Option("0", "0 is the loss of a D that is always right and always sure."),
        ),
    ),
    Question(
        "You halve D's loss and train with Adam. How much slower does D learn?",
        (
            Option("Half as fast.", "With plain SGD it would be so."),
            Option(
                "Hardly slower at all.",
                "Adam divides by the gradient's own size, so a constant factor cancels.",
                True,
            ),
            Option(
                "A quarter as fast, as the gradient is squared in Adam.",
                "The square is under a root, and stands in the denominator: the factor cancels.",
            ),
        ),
    ),
    Question(
        "With λ = 1000 the pictures get paler than with 100. Why?",
        (
            Option(
                "L1 outweighs D, and L1 is cheapest at the median of the possible colors.",
                "This is lesson 03's brown problem again.",
                True,
            ),
            Option(
                "The learning rate has grown with it, and training diverges.",
                "Adam's steps do not grow with the loss; nothing diverges here.",
            ),
            Option(
                "tanh saturates for large λ.",
                "λ scales the loss, not the output of the network.",
            ),
        ),
    ),
    Question(
        "Why does D's hinge loss have a relu and G's has none?",
        (
            Option(
                "An old mistake that everybody has copied.",
                "It is in the papers so, and it has a reason.",
            ),
            Option(
                "Because G's logits are never negative.",
                "They often are, above all in the beginning.",
            ),
            Option(
                "D need not push on where it is sure enough; G is to gain from every larger logit.",
                "Behind the margin D's gradient is 0. If G's were 0 there too, it would stop.",
                True,
            ),
        ),
    ),
)
