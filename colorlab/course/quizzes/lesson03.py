"""The quiz of lesson 03."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "A U-Net of 5 levels gets a photo of 100 × 96 pixels. What happens?",
        (
            Option(
                "It works: convolutions take any size.",
                "Each alone does. But the maps must meet again on the way up, at one size.",
            ),
            Option(
                "torch.cat complains: 100 is no multiple of 32.",
                "100, 50, 25, 12: from the 12 comes a 24 back, and it meets a 25.",
                True,
            ),
            Option(
                "The output is 96 × 96.",
                "Nothing is cropped silently; the sizes fail to match first.",
            ),
        ),
    ),
    Question(
        "What does a skip carry?",
        (
            Option(
                "The gradient alone, as in a residual network.",
                "It is a path for the gradient too, but a U-Net lays the map itself beside x.",
            ),
            Option(
                "The photo's true colors.",
                "The network never sees them; it would have nothing to learn.",
            ),
            Option(
                "The map that the way down had at this size, as extra channels.",
                "So the detail need not pass through the few numbers at the bottom.",
                True,
            ),
        ),
    ),
    Question(
        "Why does the output end in tanh?",
        (
            Option(
                "Because ab / 110 lies between −1 and 1, on both sides of 0.",
                "A ReLU would lose green and blue, a sigmoid too.",
                True,
            ),
            Option(
                "Because it trains faster than no activation at all.",
                "Not in general: where it is flat its gradient is small. It is there for the "
                "range.",
            ),
            Option(
                "Because batch norm needs it.",
                "There is no batch norm behind it, and none would need it.",
            ),
        ),
    ),
    Question(
        "Of gray balloons alike, 60 % were red and 40 % blue. A perfect network, trained with L1, "
        "predicts which color for each of them?",
        (
            Option("Red in 60 % of them, blue in the others.", "It can't tell which are which."),
            Option("Purple, the mean.", "The mean is what L2 asks for."),
            Option(
                "Red, always.",
                "The median of two values is the more frequent one. With three colors it need not "
                "be any of them.",
                True,
            ),
        ),
    ),
    Question(
        "Training loss falls, held-out loss has begun to rise. What do you do?",
        (
            Option(
                "Stop here, or get more photos.",
                "The network has begun to learn its photos by heart, which helps with no other.",
                True,
            ),
            Option(
                "Go on: what falls is the loss that counts.",
                "The one that counts is that of photos the network has not seen.",
            ),
            Option(
                "Take out the skips.",
                "That makes the network weaker everywhere; it does not know more photos.",
            ),
        ),
    ),
)
