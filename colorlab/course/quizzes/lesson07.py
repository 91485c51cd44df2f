"""The quiz of lesson 07."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "A training step waits for the loader during 40 % of its time; the networks take the other "
        "60 %. You make the networks four times faster and leave the loader as it is. How much "
        "faster is the step?",
        (
            Option(
                "4 times: what was made faster sets the pace.",
                "The loader's 40 % take as long as before; only the 60 % shrink.",
            ),
            Option(
                "1.8 times: of the old time 0.4 + 0.6 / 4 = 0.55 is left.",
                "Amdahl's law. With endlessly fast networks it would be 1 / 0.4 = 2.5 times.",
                True,
            ),
            Option(
                "2.4 times: 60 % of a speed-up of four.",
                "Speed-ups are not shared out that way. Add up times: what is left of each part?",
            ),
        ),
    ),
    Question(
        "Adding two large maps is one operation for 12 bytes moved; on a GPU whose ceilings "
        "of compute and memory meet at 80 operations a byte. What makes the addition faster?",
        (
            Option(
                "A chip with the same memory and twice as many compute units.",
                "The bytes arrive no sooner, so the new units only wait with the old ones.",
            ),
            Option(
                "Larger batches, so that its intensity grows.",
                "Here each number is read, used once and written. Twice the batch is twice the "
                "bytes and twice the operations: the intensity stays.",
            ),
            Option(
                "bf16 in place of float32 for what it reads and writes.",
                "Half the bytes: the ceiling that binds is memory, so it takes half the time.",
                True,
            ),
        ),
    ),
    Question(
        "Training in fp16 needs a gradient scaler, training in bf16 does not. Why?",
        (
            Option(
                "bf16 has float32's 8 exponent bits, so tiny gradients don't become 0.",
                "fp16 has 5: below about 6e-8 nothing is left. The scaler lifts the loss, and so "
                "the gradients, above that.",
                True,
            ),
            Option(
                "bf16 has more digits, so its gradients are rounded less.",
                "It has fewer: 8 significant bits against 11 of fp16. What it has is range.",
            ),
            Option(
                "bf16 is scaled by the chip itself, in its matrix units.",
                "No chip scales anything here; the kind of number makes it needless.",
            ),
        ),
    ),
    Question(
        "Four processes train with 16 photos each and average their gradients; the network has "
        "plain batch norm. Is a step equal to that of one process with all 64 photos?",
        (
            Option(
                "Yes: the mean of four means over 16 is the mean over 64.",
                "Of the losses it is, as long as each photo's loss is its own. Batch norm mixes "
                "photos.",
            ),
            Option(
                "No: the gradients are four times smaller, so the learning rate must grow.",
                "They are averaged, not divided: their size is that of one process with 64.",
            ),
            Option(
                "No: each batch norm sees the mean and variance of 16 photos, not of 64.",
                "The rest is equal. nn.SyncBatchNorm computes them over all processes, which costs "
                "messages.",
                True,
            ),
        ),
    ),
    Question(
        "After torch.compile you measure the very first step: 40 s. Before it was 1 s a step. What "
        "do you conclude?",
        (
            Option(
                "compile makes this network slower; take it out.",
                "A single first step can't tell: it holds work that no later step repeats.",
            ),
            Option(
                "Nothing about the speed: most of it is compiling. Measure later steps.",
                "It pays off if the steps to come save more than those 40 s together.",
                True,
            ),
            Option(
                "It is 40 times slower now, and soon gets faster as the GPU warms up.",
                "No GPU warms up by a factor of 40. The time went into writing and compiling code.",
            ),
        ),
    ),
)
