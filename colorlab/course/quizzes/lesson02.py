"""The quiz of lesson 02."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "You train a network that gets a color photo and predicts how far away each pixel is. "
        "Which augmentation teaches it something false?",
        (
            Option(
                "Mirroring the photo and its map of distances.",
                "Both are mirrored, so the pair could be a photo and its distances.",
            ),
            Option(
                "Turning the hues of the photo, and leaving the distances.",
                "The input changes and the target stays true: a green bus is as far away as a red "
                "one. What misleads a colorizer is fine here.",
            ),
            Option(
                "Multiplying the distances by a random factor, and leaving the photo.",
                "One input gets many targets, as with turned hues. The network learns their mean.",
                True,
            ),
        ),
    ),
    Question(
        "The folders day/ and night/ hold 5,000 photos each, and a photo's two versions bear the "
        "same name. A colleague renamed the files once. How do you find out whether the pairs are "
        "still right?",
        (
            Option(
                "The names agree, one by one.",
                "If a renamed file got the name of another photo, names agree and pairs do not.",
            ),
            Option(
                "The loss falls.",
                "It falls with wrong pairs too: an average can always be learned.",
            ),
            Option(
                "Look at two dozen pairs, drawn at random.",
                "Wrong pairs are seen at once, and an error that shifts many pairs hardly escapes "
                "such a sample.",
                True,
            ),
        ),
    ),
    Question(
        "Your test set is where place(name) < 0.1. A year later you want 0.2 instead. What happens "
        "to the photos?",
        (
            Option(
                "Test photos stay, and some training photos join them.",
                "What is below 0.1 is below 0.2. But an old network has been trained on the photos "
                "that join: train it anew before you compare.",
                True,
            ),
            Option(
                "The test set is drawn anew.",
                "Nothing is drawn. Each name has its place, and only the border moves.",
            ),
            Option(
                "Train and test are mixed, unless you use the same random seed.",
                "No random seed takes part in a hash.",
            ),
        ),
    ),
    Question(
        "You want to know how well a colorizer will do for photographers whose photos it has never "
        "seen. Your set holds 9,000 photos by 40 photographers, each with a favorite film. By what "
        "do you split?",
        (
            Option(
                "By the hash of each photo's name.",
                "Then each test photo has hundreds of training photos of the same film, and the "
                "score flatters.",
            ),
            Option(
                "By the date of the photo.",
                "It keeps a day's photos together, but each photographer stands on both sides.",
            ),
            Option(
                "By the hash of the photographer's name.",
                "The score is to be about new photographers, so those of the test have to be new. "
                "With 40 of them expect a share that is off by some percent.",
                True,
            ),
        ),
    ),
    Question(
        "A cyanotype lies in your set: a gray photo printed in blue, mean chroma 35, saved as a "
        "color JPEG. Which test finds it?",
        (
            Option(
                'image.mode == "L"',
                'It was saved with three channels, so its mode is "RGB".',
            ),
            Option(
                "The mean chroma is below a threshold.",
                "At 35 it is more colorful than most photos of things.",
            ),
            Option(
                "Pixels of equal L have almost equal a and b.",
                "Its color follows from lightness. The test only raises a suspicion: a photo taken "
                "under water may pass for one.",
                True,
            ),
        ),
    ),
)
