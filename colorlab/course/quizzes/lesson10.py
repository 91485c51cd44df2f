"""The quiz of lesson 10."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "A painting shows a red and a green stripe side by side, both of the same lightness. The "
        "network predicts both colors at a quarter of the size, and the guided filter enlarges "
        "them. What does the border look like?",
        (
            Option(
                "Sharp: the filter finds the border in the coarse ab.",
                "It looks for edges in L alone. Coarse ab holds the border only to within some "
                "pixels of the full size.",
            ),
            Option(
                "Soft, some pixels wide: L has no edge there for the color to follow.",
                "In such a window L hardly varies, so the slope is near 0 and the offset is a "
                "mean of both colors. The eye forgives it, as it sees color coarsely too.",
                True,
            ),
            Option(
                "Gray on both sides, since a slope of 0 leaves no color.",
                "The offset is left, and it is the mean color of the windows. Far from the border "
                "both stripes keep their own.",
            ),
            Option(
                "Sharp, if only epsilon is small enough.",
                "epsilon decides which change of L counts as an edge. Here there is none to count.",
            ),
        ),
    ),
    Question(
        "A program for video calls has to send fewer bytes. Someone proposes to send L at half the "
        "width and height, and a and b at full size. What do you say?",
        (
            Option(
                "Turn it round: L at full size and ab reduced would look sharper for fewer bytes.",
                "Detail is seen in lightness, and color is seen coarsely. ab are two channels of "
                "three, so reducing them saves more too. JPEG and the lesson's network rely on it.",
                True,
            ),
            Option(
                "It makes no difference which of the channels is reduced.",
                "The eye has a much finer raster for lightness than for color: text in a blurred L "
                "can't be read, and text in a blurred ab can.",
            ),
            Option(
                "Neither: any channel that is reduced is seen at once.",
                "Most JPEGs hold color at half the width and height, and hardly anyone has "
                "noticed. Lightness would be noticed.",
            ),
        ),
    ),
    Question(
        "A network pads its input with `if height % 32: ...`, and then loops over as many tiles as "
        "the photo needs. You write it into a file with a tracer that records one pass, as "
        "`torch.jit.trace` does, with a photo of 256 x 256. It runs on other sizes. What has to be "
        "checked?",
        (
            Option(
                "Nothing: that it runs means that the code decides anew for each size.",
                "The file holds the operations of that one pass. Python's own `if` and `for` were "
                "decided by then, and are no longer there.",
            ),
            Option(
                "Whether the file still has the right weights.",
                "Weights are copied as they are. What can be lost is control flow, which no weight "
                "holds.",
            ),
            Option(
                "Whether the sizes are equal to those of training.",
                "A network of convolutions takes other sizes as well, and the lesson's does. What "
                "stands around it may not.",
            ),
            Option(
                "Whether it gives the same as PyTorch where the padding and the tiles differ.",
                "256 needs no padding and its own number of tiles, and the pass has fixed both. "
                "Compare at sizes that take other branches, or keep branches outside. The lesson's "
                "exporter refuses such code where height and width are dynamic: it stops with an "
                "error in place of a wrong file.",
                True,
            ),
        ),
    ),
    Question(
        "You store a network's weights as int8. In one layer, one output channel has weights up "
        "to 8, all others up to 0.05. With one scale for the layer the output is ruined. Why, and "
        "what helps?",
        (
            Option(
                "Weights of 8 don't fit into int8. Cutting them at 1 helps.",
                "Any range fits, as the scale takes care of it. Cutting changes just the weights "
                "that are largest, and so matter.",
            ),
            Option(
                "A step is 8 / 127, more than 0.05: the small weights become 0 or one step. A "
                "scale for each channel helps.",
                "0.063 a step is too coarse for them. Each output channel is a sum of its own, so "
                "it may have its own scale. Activations that lie far apart need another remedy.",
                True,
            ),
            Option(
                "int8 is too coarse for any network. float16 is the least that works.",
                "Many networks lose hardly anything by eight bits with fitting scales. Measure "
                "it: how far does ab move in CIE units?",
            ),
            Option(
                "The activations grow too large. Storing them as float32 helps.",
                "They were not touched: here only the weights are int8. Their range matters too "
                "once they are made int8 as well, and it differs with each photo.",
            ),
        ),
    ),
    Question(
        "Two colorings of one archive film: A flickers by 0.4, B by 3.0. A has red uniforms "
        "that were blue, and people who walk leave a tint behind. A museum would like to show one "
        "as what the day looked like. What do you advise?",
        (
            Option(
                "A: the lower flicker says that its colors are more reliable.",
                "Flicker says how restless they are. A gray film has 0. A wrong color that stays "
                "has as little, and carrying too much leaves the tints behind.",
            ),
            Option(
                "B: carrying colors falsifies them, so the raw prediction is the honest one.",
                "Raw predictions are guesses too, another one for each frame. Flicker is a fault, "
                "and no sign of truth.",
            ),
            Option(
                "Neither as evidence. Either may be shown if it says that its colors are made up.",
                "The gray film does not hold the color of a uniform, and no network can read it "
                "out of it. For looks take less of A's carrying, and name both in the caption.",
                True,
            ),
            Option(
                "A mean of both films, as errors cancel.",
                "A mean of guesses is a guess, and paler. It makes neither a uniform's color known "
                "nor the film fit for evidence.",
            ),
        ),
    ),
)
