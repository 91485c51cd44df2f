"""The quiz of lesson 06."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "A friend wants to be safe and detaches G's colors in both parts of the step. What will "
        "the run look like?",
        (
            Option(
                "Like a run with L1 alone: G's photos turn brown, and D is right nearly always.",
                "D's opinion reaches G only through these colors. Cut off there, G is left with "
                "L1, and D has an opponent that never answers.",
                True,
            ),
            Option(
                "It stops with an error: no gradient comes to G.",
                "L1 still reaches G, since it is computed from the colors that are not detached. "
                "No error tells you.",
            ),
            Option(
                "Like a healthy run: D's loss has never been meant for G.",
                "True for D's part, where the detach belongs. In G's part the way from the "
                "adversarial loss through D into G is all that G learns from D.",
            ),
        ),
    ),
    Question(
        "pix2pix, like many GANs, takes β₁ = 0.5 instead of Adam's usual 0.9. What does it change?",
        (
            Option(
                "The steps get shorter, since m keeps only half of each gradient.",
                "The shares in m add up to 1 (once it is corrected) with 0.5 as with 0.9: for a "
                "steady gradient the step is the same.",
            ),
            Option(
                "It keeps the second moment from growing too large.",
                "That is v, which has β₂: β₁ has no part in it.",
            ),
            Option(
                "m looks back about 2 steps instead of 10.",
                "1 / (1 − β₁) steps. The other network changes in each of them, so an old gradient "
                "belongs to a loss that no longer exists.",
                True,
            ),
        ),
    ),
    Question(
        "You train a GAN that sharpens photos. From step 50 on D is right on 100 % of the real "
        "patches and on none of the generated ones. Where do you look first?",
        (
            Option(
                "At G: it is so good already that D can't recognize its photos.",
                "Then D would doubt the real ones as well, and be right on about half of each. "
                "This D says real to everything.",
            ),
            Option(
                "At what reaches D's weights: one optimizer for both, or gradients of G's loss "
                "that nobody cleared.",
                "G's loss asks D to call generated patches real. A D that obeys has gone down the "
                "wrong loss.",
                True,
            ),
            Option(
                "At D's learning rate: a lower one would help.",
                "A slower D would go the same wrong way. The mean of both accuracies, 50 %, looks "
                "harmless, and hides what the two of them show.",
            ),
        ),
    ),
    Question(
        "In your run on portraits the held-out L1 rises slowly while the adversarial stage goes "
        "on, and the portraits become more vivid. What do you conclude?",
        (
            Option(
                "G has learned the training photos by heart; the run should have ended earlier.",
                "It may have, but this does not show it. It would show in L1 on the training "
                "photos: does that go on falling?",
            ),
            Option(
                "By itself no failure: a bold color that misses costs more L1 than brown.",
                "Where several colors are possible L1 is cheapest at their median, and D asks for "
                "one of them. Judge by looking, and by more than one measure.",
                True,
            ),
            Option(
                "The weight of L1 is too large and should be reduced.",
                "A larger weight pulls the other way: lower L1, paler photos.",
            ),
        ),
    ),
    Question(
        "A friend's run trains in fp16 on a GPU, with a gradient scaler; dropout draws from CUDA's "
        "random numbers. Its checkpoint holds both networks, both Adams, the step and "
        "torch.get_rng_state(). What is missing for the run to go on as if nothing had happened?",
        (
            Option(
                "Nothing: that is all that exercise 6.6 asked for.",
                "There, everything ran on the CPU in full precision. Each part of a run that "
                "remembers something belongs in the file.",
            ),
            Option(
                "The losses so far, for the scaler to start from.",
                "The scaler has a state of its own, and losses are only for reading.",
            ),
            Option(
                "The scaler's state and CUDA's random state.",
                "The scale decides which steps are left out, and get_rng_state() knows the CPU's "
                "random numbers alone: torch.cuda.get_rng_state() reads the GPU's.",
                True,
            ),
        ),
    ),
)
