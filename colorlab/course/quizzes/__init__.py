"""The questions of each lesson's quiz, one module a lesson; `colorlab.course.widgets.quiz` shows
them."""
