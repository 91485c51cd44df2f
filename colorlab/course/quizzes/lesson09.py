"""The quiz of lesson 09."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "A network fills holes in photos. A plain blur in each hole gets 2 dB more PSNR than its "
        "sharp, believable content. What do you report?",
        (
            Option(
                "PSNR alone: the blur is nearer to the truth, so it is the better answer.",
                "Nearer on average, and right nowhere. Squared error pays for a bet on the middle, "
                "as it does for gray.",
            ),
            Option(
                "No PSNR: a metric that a blur can win says nothing.",
                "It still shows a fault of the pipeline, and the reader can compare. Leaving out a "
                "figure because it is bad is no report.",
            ),
            Option(
                "PSNR beside the blur's own, a distance of sets, and what people tell apart.",
                "Many contents are possible, and their mean has the smallest expected square. The "
                "blur's row shows what the metric rewards, and the others see what it can't.",
                True,
            ),
            Option(
                "The PSNR of the photos where the network is ahead of the blur.",
                "Chosen by their result, such photos make any method win.",
            ),
        ),
    ),
    Question(
        "One paper gives a FID of 8.7, another one 6.6 for its own colorizer. What do you ask "
        "before you call the second one better?",
        (
            Option(
                "Whether both took the same photos, as many of them, and the same network's "
                "features.",
                "Each of the three moves the figure, and fewer photos alone make it larger. Run "
                "both colorizers through one script, or don't compare.",
                True,
            ),
            Option(
                "Whether 2.1 is more than a user can see.",
                "FID has no unit that an eye could see. And first the two must be measured alike.",
            ),
            Option(
                "Which one has the better PSNR, to settle it.",
                "PSNR asks another question, and often answers the other way round. It can't say "
                "whether two FIDs were measured alike.",
            ),
        ),
    ),
    Question(
        "You add a loss that rewards colorfulness. The gap to the true photos' colorfulness falls "
        "from 10 to 1. What has that shown?",
        (
            Option(
                "The colors are now right, since they are as strong as the true ones.",
                "Colorfulness never sees where a color lies. The truth with hues turned to their "
                "opposites scores about the same.",
            ),
            Option(
                "That the loss works. Whether the photos are better, another metric must say.",
                "What is trained on is a target, and no longer a measure. Look at recognition, at "
                "the Fréchet distance and for blotches of red.",
                True,
            ),
            Option(
                "Nothing at all: the figure is the same with and without the loss.",
                "It has changed, from 10 to 1. The question is what else changed with it.",
            ),
        ),
    ),
    Question(
        "Two translators are scored on the same 200 sentences: 41 ± 3 and 39 ± 3. The mean of "
        "their paired differences is 2, with an interval from −0.4 to 4.4. What may you say?",
        (
            Option(
                "The two are equally good, as the interval holds 0.",
                "It holds 4 just as well. Not to have shown a difference is not to have shown that "
                "there is none.",
            ),
            Option(
                "The first one is better: 41 is more than 39.",
                "Other 200 sentences could well turn that round, says the interval.",
            ),
            Option(
                "The wide intervals overlap, so pairing the sentences was of no use.",
                "Unpaired, the difference would have about ± 4.2. Pairing takes out what is hard "
                "for both, and two overlapping intervals are no test of a difference.",
            ),
            Option(
                "It is open which one is better. The first may be far ahead, or a little behind.",
                "All from −0.4 to 4.4 fits these sentences. More sentences, scored in pairs, would "
                "narrow it.",
                True,
            ),
        ),
    ),
    Question(
        "In a listening test each round plays a real and a generated voice, in random order. "
        'After 20 rounds a judge has said "the left one" in 60 %. What follows?',
        (
            Option(
                "The judge was fooled in 60 % of the rounds.",
                "Left says nothing about which one was generated: chance chose the sides.",
            ),
            Option(
                "No bias is shown: 12 of 20 has an interval from 39 % to 78 %.",
                "A coin does that often. Even a real habit could not favor one kind of voice, as "
                "sides are random. It would pull the share fooled toward 50 %.",
                True,
            ),
            Option(
                "The judge guesses by side, so the answers have to go.",
                "12 of 20 is what a judge without any habit does often. Throwing answers out "
                "because of how they look is a bias of its own.",
            ),
        ),
    ),
)
