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
        "A GPU adds two large float32 maps. For each addition it reads two numbers of 4 bytes and "
        "writes one, so it moves 12 bytes. Its two ceilings meet at 80 operations a byte. What "
        "makes the addition faster?",
        (
            Option(
                "A chip with the same memory and twice as many compute units.",
                "The bytes arrive no sooner, so the new units only wait with the old ones.",
            ),
            Option(
                "Larger batches, so that it does more operations a byte.",
                "Here each number is read, used once and written. Twice the batch is twice the "
                "bytes and twice the operations: as many operations a byte as before.",
            ),
            Option(
                "bf16 in place of float32 for what it reads and writes.",
                "Half the bytes: the ceiling that binds is memory, so it takes half the time.",
                True,
            ),
        ),
    ),
    Question(
        "fp16, one scaler for both optimizers. In one step D's gradients hold an infinity, G's are "
        "all finite. What happens?",
        (
            Option(
                "D's step is left out, G steps, and the next scale is half as large.",
                "The scaler looks at each optimizer's gradients by themselves, and its update at "
                "all of them together.",
                True,
            ),
            Option(
                "Both steps are left out, since they share the scaler.",
                "They share the scale. Whether a step is left out is decided for each optimizer.",
            ),
            Option(
                "Both step, and D's weights become NaN.",
                "That is what would happen if the optimizer were asked directly: the scaler leaves "
                "such a step out.",
            ),
        ),
    ),
    Question(
        "You train on one GPU with 64 photos a step, and it learns well. On eight GPUs you let "
        "each take 8, so the batch stays 64. The network has plain batch norm. What changes?",
        (
            Option(
                "Nothing: the mean of eight means over 8 is the mean over 64.",
                "Of the losses it is, as long as each photo's loss is its own. Batch norm mixes "
                "photos.",
            ),
            Option(
                "The gradients are eight times smaller, so the learning rate must grow.",
                "They are averaged, not divided: their size is that of one process with 64.",
            ),
            Option(
                "Each batch norm sees the mean and variance of 8 photos, not of 64.",
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
