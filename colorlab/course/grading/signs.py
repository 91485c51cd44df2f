"""Signs in a learner's code that it could change the check, found by reading it.

Code with such a sign does not run, and a person looks at it. Solutions need none of this: they
compute. What is hidden better is left to `guard`, while the code runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

# Each of them leads to the check's own frames, functions or solutions.
MODULES = {
    *("_ctypes", "_posixsubprocess", "_testcapi", "_thread", "builtins", "cffi", "ctypes", "gc"),
    *("importlib", "inspect", "marshal", "pdb", "pkgutil", "posix", "runpy", "signal", "traceback"),
}
NAMES = {"__import__", "__loader__", "__spec__", "compile", "eval", "exec"}
ATTRIBUTES = {
    *("_current_frames", "_getframe", "addaudithook", "ag_frame", "cr_frame", "f_back"),
    "currentframe",
    *("f_builtins", "f_globals", "f_locals", "gi_frame", "setprofile", "settrace", "tb_frame"),
    *("as_strided", "from_file", "data_ptr", "frombuffer"),  # memory by its address
}
PLAIN = {  # what classes and notebooks write between double underscores
    *("__init__", "__call__", "__name__", "__doc__", "__main__", "__file__", "__version__"),
    *("__len__", "__getitem__", "__setitem__", "__iter__", "__next__", "__contains__"),
    *(
        "__enter__",
        "__exit__",
        "__repr__",
        "__str__",
        "__post_init__",
        "__all__",
        "__annotations__",
    ),
    *("__add__", "__sub__", "__mul__", "__truediv__", "__neg__", "__matmul__", "__future__"),
}
CHANGING = {"setattr", "delattr", "vars"}
LESSON_OWN = {"check", "progress"}


def signs(code: Iterable[ast.stmt]) -> list[str]:
    """What in these statements could change the check, each in a few words."""
    code = list(code)
    modules = _modules(code)
    found: dict[str, None] = {}
    for statement in code:
        for node in ast.walk(statement):
            found |= dict.fromkeys(_of(node, modules))
    return list(found)


def _of(node: ast.AST, modules: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [f"imports {one.name}" for one in node.names if _is_closed(one.name, set())]
    if isinstance(node, ast.ImportFrom):
        names = {one.name for one in node.names}
        module = node.module or ""
        closed = [f"{module}.{name}" for name in sorted(names) if _is_closed(module, {name})]
        return [f"imports {name}" for name in closed]
    if isinstance(node, ast.Name) and (node.id in NAMES or _is_special(node.id)):
        return [f"uses {node.id}"]
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and _is_special(node.name):
        return [f"defines {node.name}"]
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_special(node.value):
        return [f"uses {node.value}"]
    if isinstance(node, ast.Attribute):
        return _of_attribute(node, modules)
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        inside = isinstance(node.value, ast.Attribute) and _root(node.value) in modules
        return [f"changes {ast.unparse(node.value)}"] if inside else []
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CHANGING:
        return [f"changes {ast.unparse(one)}" for one in node.args[:1] if _root(one) in modules]
    return []


def _of_attribute(node: ast.Attribute, modules: set[str]) -> list[str]:
    whole = ast.unparse(node)
    if node.attr in ATTRIBUTES or _is_special(node.attr) or whole == "sys.modules":
        return [f"uses {whole[-60:]}"]
    if not isinstance(node.ctx, ast.Load) and _root(node) in modules:
        return [f"changes {whole}"]
    if whole.startswith("colorlab.course."):
        return [f"uses {whole}"]
    return []


def _is_closed(module: str, names: set[str]) -> bool:
    """Whether code that a check tries has no business with this module."""
    whole = [f"{module}.{name}" for name in names] or [module]
    if module == "colorlab.course.checks":
        return not names or not names <= LESSON_OWN
    inside = ("colorlab.course.checks", "colorlab.course.grading", "colorlab.course.cells")
    return module.partition(".")[0] in MODULES or any(one.startswith(inside) for one in whole)


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and len(name) > 4 and name not in PLAIN


def _modules(code: list[ast.stmt]) -> set[str]:
    """The names under which modules, and what is in them, are known to the code."""
    imports = [n for s in code for n in ast.walk(s) if isinstance(n, ast.Import | ast.ImportFrom)]
    names = {
        (alias.asname or alias.name).partition(".")[0]
        for node in imports
        for alias in node.names
        if not (getattr(node, "module", None) or alias.name).startswith("matplotlib")  # rcParams
    }
    return names | {"np", "torch", "nn", "F"}


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
