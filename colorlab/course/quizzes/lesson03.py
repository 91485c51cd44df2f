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
        "In one level of a U-Net the block before gives 64 channels, and the skip has 64. You add "
        "the skip instead of concatenating it. How many channels does the next up block take in?",
        (
            Option(
                "128, as before.",
                "Concatenation gives 128. A sum has the shape of its parts.",
            ),
            Option(
                "32: the two share the channels.",
                "A sum adds number to number. Each channel stays, with the skip's detail in it.",
            ),
            Option(
                "64.",
                "Adding needs equal channels and keeps their number. Concatenation doubles it, "
                "and lets the next convolution weight the two parts apart.",
                True,
            ),
        ),
    ),
    Question(
        "A network predicts how far each pixel moves: left is negative, right is positive. It "
        "ends in a sigmoid. What will you see?",
        (
            Option(
                "Motion to the right at most, and no error.",
                "A sigmoid gives 0 to 1. The loss falls as far as that allows, as with the ReLU "
                "of 3.4.",
                True,
            ),
            Option(
                "An error, since the target is out of range.",
                "L1 takes any two numbers. Nothing compares their ranges.",
            ),
            Option(
                "Both directions, after enough steps.",
                "No weights make a sigmoid give a negative number.",
            ),
        ),
    ),
    Question(
        "Some doors look alike in gray: 60 % were red and 40 % blue. Which color does a perfect "
        "network, trained with L1, predict for each of them?",
        (
            Option(
                "Red for 60 % of them, blue for the others.",
                "They look alike, so all get the same prediction.",
            ),
            Option("Purple, the mean.", "The mean is what L2 asks for."),
            Option(
                "Red, always.",
                "With two values, the median is the more frequent one. With three colors it need "
                "not be any of them.",
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
                "That changes what the network can pass on. It adds no photos to learn from.",
            ),
        ),
    ),
)
