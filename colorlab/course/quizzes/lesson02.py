"""The quiz of lesson 02."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "A colleague turns the colors of each training photo in the ab plane, by a random angle. "
        "What does the colorizer learn?",
        (
            Option(
                "More colors.",
                "It gets many target colors for one gray input, and can't know which is asked for.",
            ),
            Option(
                "To leave photos gray.",
                "The input stays the same, the targets point in all directions, and their mean "
                "is gray.",
                True,
            ),
            Option(
                "Nothing changes: L is the same.",
                "Just because the input is the same, the contradicting targets cancel.",
            ),
        ),
    ),
    Question(
        "Two folders, 5,000 gray and 5,000 color photos. Both listings are sorted, and both have "
        "5,000 names. Are the pairs right?",
        (
            Option(
                "Yes: same length, same order.",
                "One photo missing here and another one there: same length, and all pairs between "
                "the two are shifted.",
            ),
            Option(
                "Only if the names agree, pair by pair, but for the suffix.",
                "That is what to check; a dictionary of names does not even need the order.",
                True,
            ),
            Option(
                "The falling loss will show it.",
                "It falls with wrong pairs too: an average can always be learned.",
            ),
        ),
    ),
    Question(
        "Your split hashes each photo's name. You add 100 new photos to the folder. What happens "
        "to the old ones?",
        (
            Option(
                "None changes sides.",
                "A photo's place depends on its own name and on nothing else.",
                True,
            ),
            Option(
                "Some move, so that exactly 20 % are test photos.",
                "A fixed share is met on average only: that is the price of never moving.",
            ),
            Option(
                "With a fixed random seed none, without one all.",
                "No random seed takes part. (With a shuffle even a fixed seed would not help.)",
            ),
        ),
    ),
    Question(
        "Frames of 50 videos, split by the hash of each frame's name. The test score is "
        "excellent. Why should you not trust it?",
        (
            Option(
                "A hash does not shuffle well enough.",
                "It does; that is what tears neighbors apart.",
            ),
            Option(
                "Each test frame has neighbors in the training set.",
                "Even a program that only remembers would do well. Split by video.",
                True,
            ),
            Option(
                "Fifty videos are too few for a test.",
                "Then the score would be uncertain, upward and downward. This one is too good.",
            ),
        ),
    ),
    Question(
        "Which of these finds the scan of a black-and-white photo, saved as a color JPEG?",
        (
            Option(
                'image.mode == "L"',
                'It was saved with three channels, so its mode is "RGB".',
            ),
            Option(
                "All pixels have R = G = B.",
                "A scanner gives each channel a little noise of its own; one such pixel says no.",
            ),
            Option(
                "The mean chroma is below a threshold.",
                "A little noise leaves it small. Where the threshold lies is your decision.",
                True,
            ),
        ),
    ),
)
