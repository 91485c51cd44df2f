"""Lets a lesson go on where an exercise is still open: the course's code stands in for it.

A handout has no solutions. Where the cells below an exercise use what it makes, the handout has

    down = own_or_course("3.1", down)

The learner's own function is used once the check calls it solved. Until then the course's function
is, which is read from the course's notebooks. A classroom without those notebooks has no stand-in:
there the cell stops and says which exercise comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType

from colorlab.course.cells import course_solution
from colorlab.course.checks import exercises, try_solution


class StillOpen(RuntimeError):
    """An exercise is not solved, the cells below need it, and there is no stand-in."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback: one sentence is enough."""
        return [str(self)]


def own_or_course(name: str, own: Callable) -> Callable:
    """The learner's function ``own`` of exercise ``name`` if it is solved, else the course's.

    What the solution defines beside it, such as imports, is defined where ``own`` was. Raises
    `StillOpen` where the exercise is not solved and the course's notebooks are not there.
    """
    (exercise,) = [one for one in exercises(f"{int(name.split('.')[0]):02d}") if one.name == name]
    if try_solution(exercise, own).status == "solved":
        print(f"Exercise {name} is solved: the cells below use your own code.")
        return own
    solution = course_solution(name)
    if solution is None or not isinstance(own, FunctionType):
        raise StillOpen(
            f"Exercise {name} is not solved yet, and the cells below need it. Solve it, run its "
            "cell, then run this cell again."
        )
    scope = own.__globals__
    exec(compile(solution, f"<the course's code for {name}>", "exec"), scope)
    print(f"Exercise {name} is not solved yet: the cells below use the course's code until it is.")
    return scope[own.__name__]
