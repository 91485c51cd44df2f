"""The quiz of lesson 06."""

from colorlab.course.widgets.quiz import Option, Question

QUIZ = (
    Question(
        "In D's part of the step G's colors are detached, in G's part they are not. Why?",
        (
            Option(
                "In G's part torch.cat makes a copy, which cuts the graph anyway.",
                "torch.cat makes a copy and keeps the graph: gradients flow through it.",
            ),
            Option(
                "D's loss is not to teach G; G's loss reaches G only by way of these colors.",
                "Down D's loss G's colors would become easier to recognize. In G's part the way "
                "leads from the loss through D and the colors into G's weights.",
                True,
            ),
            Option(
                "Without it D's weights would get no gradient from the fakes.",
                "They would: detach cuts off what lies before D. D's own weights lie behind it.",
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
        "For hundreds of steps D has been right about every real patch and every fake one. What "
        "now?",
        (
            Option(
                "D is far ahead: lower its learning rate, or soften its labels.",
                "G is always recognized, and D, sure of everything, teaches it little about the "
                "way out. A weaker D is the better teacher.",
                True,
            ),
            Option(
                "The run has converged: stop it and keep these weights.",
                "Had G reached its goal, D would be right about half of the time.",
            ),
            Option(
                "G is far ahead: lower its learning rate, or train D twice a step.",
                "It is D that wins here: not one fake gets past it. This would help it further.",
            ),
        ),
    ),
    Question(
        "As adversarial training goes on, the held-out L1 rises slowly, and the held-out photos "
        "become more vivid. What do you conclude?",
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
        "A run was killed at step 950; its last checkpoint is of step 900. What is needed for it "
        "to go on exactly as if nothing had happened?",
        (
            Option(
                "The weights of G and D of step 900, and the seed that the run began with.",
                "Adam would begin with empty m and v, and dropout would draw the numbers of step "
                "0 once more.",
            ),
            Option(
                "The losses of steps 901 to 950, to make up for the steps that are lost.",
                "Losses are for reading. Those 50 steps are simply taken again.",
            ),
            Option(
                "Both networks, both optimizers, the step and the random state, all of step 900.",
                "Then steps 901 to 950 come out again bit for bit, and cost only their time.",
                True,
            ),
        ),
    ),
)
