"""The questions of each lesson's quiz, one module a lesson; `colorlab.widgets.quiz` shows them."""
