"""The quiz of lesson 08."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "You train a segmenter of medical images on a frozen, pretrained encoder, one image a "
        "batch. The encoder's batch norms are in eval mode. What do they do to a map?",
        (
            Option(
                "They normalize it by its own mean and variance.",
                "That is training mode. With one image a batch, each map would lose its own "
                "brightness and contrast.",
            ),
            Option(
                "They let it pass unchanged, since the encoder is frozen.",
                "A frozen layer still computes. The layers behind it were trained on its output.",
            ),
            Option(
                "They scale and shift each channel by constants of the pretraining.",
                "Averages, weights and biases are all fixed. So an image's features don't depend "
                "on the rest of its batch.",
                True,
            ),
        ),
    ),
    Question(
        "A pixel of a balloon is red with 50 %, green with 45 %, and hardly ever anything "
        "between. The annealed mean at temperature 1 is brown. What is it at 0.1?",
        (
            Option(
                "Brown as before: it is the likeliest color.",
                "Brown has next to no share. It lies in the middle between two hills, where their "
                "chroma cancels, and a mean needs no color that occurs.",
            ),
            Option(
                "A mixture still, three parts red to one part green.",
                "Shares become their 10th powers: (0.50 / 0.45)¹⁰ = 2.9. Two hills of nearly one "
                "height take a far lower temperature to tell apart.",
                True,
            ),
            Option(
                "Pure red, as 0.1 is nearly 0.",
                "It depends on how much the hills differ. Red has only 2.9 times green's share.",
            ),
        ),
    ),
    Question(
        "You pretrain a network that sharpens blurred photos, and then train it against a "
        "discriminator. You save it every 50 steps. Which one do you keep?",
        (
            Option(
                "The last one: a GAN's losses fall until it has converged.",
                "They need not fall at all. Each is measured against an opponent that moves.",
            ),
            Option(
                "The one with the best PSNR.",
                "PSNR rewards the safe mean. It would choose one from before the discriminator.",
            ),
            Option(
                "One from early in the adversarial part, chosen by looking at held-out photos and "
                "at several measures.",
                "Most of the gain comes early, and later the two chase each other into artifacts. "
                "No single measure finds the point: in this lesson the smallest Fréchet distance "
                "chose pictures that had hardly changed.",
                True,
            ),
            Option(
                "The one where the discriminator's loss is smallest.",
                "There it tells real from fake best: its own best moment, not the generator's.",
            ),
        ),
    ),
    Question(
        "A network is trained with hints on every single photo. Then a user opens one and gives no "
        "hint. What is to be expected?",
        (
            Option(
                "Poor colors: it has never had to find them by itself.",
                "A plane of zeros is an input that it does not know. With half of the photos "
                "unhinted, both tasks are learned.",
                True,
            ),
            Option(
                "The same colors as from a network that saw half of the photos without hints.",
                "The two have learned different tasks. This one could always read the colors off.",
            ),
            Option(
                "An error, as the planes of the hints are missing.",
                "Planes of zeros are a valid input. The network runs, and that is the trap.",
            ),
        ),
    ),
    Question(
        "A classifier of birds weighs its Q species by 1 / ((1 − λ) p + λ / Q), scaled to a mean "
        "of 1 over the photos. One species has no photo yet. What does λ = 0 do?",
        (
            Option(
                "All species count alike.",
                "That is λ = 1, where the uniform part alone is left.",
            ),
            Option(
                "Nothing: a species without a photo is never in the loss.",
                "It is in the scale, a sum over all species. There 0 times infinity is NaN.",
            ),
            Option(
                "The frequent species drop out of the loss.",
                "Their weights are small, but not 0. The trouble is at the rare end.",
            ),
            Option(
                "That weight is infinite, and the scale makes all others NaN.",
                "With λ > 0 no weight is above Q / λ before it is scaled. Without, even a species "
                "with one photo would outweigh all others.",
                True,
            ),
        ),
    ),
)
