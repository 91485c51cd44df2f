"""Watches the learner's code from inside its process: what it may not do, and altered checks.

Two parts, both made before the code runs:

`watch` adds an audit hook, which Python calls for each file, process, connection, import and look
into a frame, and which no Python code can take out again. `Originals` remembers every function and
class of the modules that are loaded; a check that calls something else is not believed.

Everything here is bound beforehand, since the code may replace names such as ``isinstance``.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

CLOSED = ("colorlab.course.checks", "colorlab.course.grading", "colorlab.course.cells")
STARTS = "starts another process"
NETWORK = "uses the network"
REFUSED = {
    **dict.fromkeys(("os.fork", "os.forkpty", "os.exec", "os.spawn", "os.system"), STARTS),
    **dict.fromkeys(("os.posix_spawn", "subprocess.Popen", "pty.spawn"), STARTS),
    **dict.fromkeys(("os.kill", "os.killpg", "signal.pthread_kill"), "sends signals"),
    **dict.fromkeys(("socket.connect", "socket.bind", "socket.getaddrinfo"), NETWORK),
    **dict.fromkeys(("socket.gethostbyname", "socket.sendto", "socket.sendmsg"), NETWORK),
    # Of the server too, which would then end the exercises of others.
    **dict.fromkeys(("resource.prlimit", "resource.setrlimit"), "changes limits"),
}
CHANGES = {  # event -> how many of its first arguments are paths that are changed
    **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate"), 1),
    **dict.fromkeys(("os.chown", "os.utime", "shutil.rmtree", "os.setxattr"), 1),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), 2),
}
LOOKS = {  # events of code that looks where the check is
    *("sys._getframe", "sys._current_frames", "sys.settrace", "sys.setprofile"),
    *("gc.get_objects", "gc.get_referrers", "gc.get_referents", "sys.addaudithook"),
    "sys.monitoring.register_callback",
    *("object.__getattr__", "object.__setattr__", "object.__delattr__"),
    *("code.__new__", "function.__new__", "compile", "exec", "marshal.loads"),
    *("ctypes.dlopen", "ctypes.dlsym", "ctypes.string_at", "ctypes.cdata", "ctypes.cdata/buffer"),
}
# Files of Python's own through which a look goes that somebody else asked for.
THROUGH = (
    *("inspect.py", "traceback.py", "operator.py", "functools.py", "threading.py"),
    *("ctypes/__init__.py", "importlib/__init__.py"),
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def watch(readable: Sequence[Path], hidden: Sequence[Path], writable: Path) -> list[str]:
    """Refuse from now on what graded code may not do; returns the list of looks at the check.

    The list grows while the process runs: "reads the checks", "looks into frames". Files are read
    from ``readable`` folders, less the ``hidden`` ones in them, and written in ``writable``.
    """
    looks: list[str] = []
    inside = tuple(f"{os.path.realpath(path)}{os.sep}" for path in (*readable, writable))
    libraries = ("<frozen ", *(f"{path}{os.sep}" for path in readable), *inside[:-1])
    closed = tuple(f"{os.path.realpath(path)}{os.sep}" for path in hidden)
    own = (f"{os.path.realpath(writable)}{os.sep}",)
    frame, real, text, path_of = sys._getframe, os.path.realpath, str, os.fspath
    kinds, is_a, slash, busy = (str, bytes, os.PathLike), isinstance, os.sep, []
    refused, changes, look, through = REFUSED, CHANGES, LOOKS, THROUGH
    devices = ("/dev/null", "/dev/urandom", "/dev/random")

    def place(path: Any) -> str:
        path = path_of(path)
        return real(path.decode("utf-8", "surrogateescape") if is_a(path, bytes) else path)

    def by_learner() -> bool:
        """Whether the learner's code asked for this event, itself or through Python's inspect.

        What is no library's is the learner's: also a text that ``timeit`` runs, a module that was
        written and then imported, and a new thread.
        """
        asked: Any = frame(2)
        while asked is not None and asked.f_code.co_filename.endswith(through):
            asked = asked.f_back
        return asked is None or not asked.f_code.co_filename.startswith(libraries)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if busy:
            return
        busy.append(1)
        try:
            if event == "open" and is_a(args[0], kinds):
                target = place(args[0])
                mode, flags = args[1], args[2]
                writes = (is_a(mode, str) and any(letter in mode for letter in "wax+")) or (
                    is_a(flags, int) and flags & WRITING
                )
                if target in devices:
                    return
                if (target + slash).startswith(closed) and not writes:
                    # A traceback wants the lines of all files in it, and does without.
                    if not frame(1).f_code.co_filename.endswith("tokenize.py"):
                        looks.append("reads the checks or the solutions")
                    raise PermissionError("graded code may not read the checks or the solutions")
                if not (target + slash).startswith(own if writes else inside):
                    verb = "write" if writes else "read"
                    raise PermissionError(f"graded code may not {verb} {target}")
            elif event == "import":
                if text(args[0]).startswith(CLOSED):
                    looks.append("reads the checks or the solutions")
                    raise ImportError("graded code may not import the checks")
            elif event in refused:
                raise PermissionError(f"it {refused[event]}, which graded code may not")
            elif event in changes:
                for path in args[: changes[event]]:
                    if is_a(path, kinds) and not (place(path) + slash).startswith(own):
                        raise PermissionError(f"graded code may not change {place(path)}")
            elif event in look and by_learner():
                looks.append("looks into the process that checks it")
                raise PermissionError("graded code may not look into the process that checks it")
        finally:
            busy.pop()

    sys.addaudithook(hook)
    return looks


class Originals:
    """The functions and classes of all loaded modules, as they are now.

    `changed` names the first that is not as it was, or one that was put before it: a method into a
    class that inherits it, a module's own ``len``. The library's constants count too, since checks
    compare with what it computes. None if all is well.
    """

    def __init__(self) -> None:
        kept: list[Kept] = []
        functions: list[tuple[str, FunctionType, Any, Any]] = []
        constants: list[tuple[str, Mapping[str, Any], str, Any]] = []
        seen: set[int] = set()
        for name, module in list(sys.modules.items()):
            if name == "__main__" or not hasattr(module, "__dict__"):
                continue
            kept.append((name, vars(module), _callables(vars(module)), frozenset(vars(builtins))))
            for attribute, value in list(vars(module).items()):
                if name.startswith("colorlab.") and attribute.isupper():
                    where = f"{name}.{attribute}"
                    constants.append((where, vars(module), attribute, _content(value)))
                if id(value) in seen:
                    continue
                seen.add(id(value))
                members = {attribute: value}
                if issubclass(type(value), type):
                    members = _callables(vars(value))
                    kept.append((f"{name}.{attribute}", vars(value), members, None))
                for one in members.values():
                    if type(one) is FunctionType:
                        where = f"{name}.{attribute}"
                        functions.append((where, one, one.__code__, one.__defaults__))
        self.changed = _comparison(kept, functions, constants)


# Whose names, the names now, the callables then, and which names must not come new: None for all.
Kept = tuple[str, Mapping[str, Any], dict[str, Any], frozenset[str] | None]


def _comparison(kept: list[Kept], functions: list, constants: list) -> Callable[[], str | None]:
    missing, callable_type, content_of = object(), _is_callable, _content
    sizes = [len(now) for _, now, _, _ in kept]
    before = [frozenset(now) for _, now, _, _ in kept]
    pairs, new_names = zip, list

    def changed() -> str | None:
        for (owner, now, then, closed), size, names in pairs(kept, sizes, before):
            get = now.get
            for name, value in then.items():
                if get(name, missing) is not value:
                    return f"{owner}.{name}"
            if now.__len__() != size:
                for name in new_names(now):
                    is_new = name not in names and (closed is None or name in closed)
                    if is_new and callable_type(now[name]):
                        return f"{owner}.{name}"
        for name, function, code, defaults in functions:
            if function.__code__ is not code or function.__defaults__ is not defaults:
                return name
        for where, now, name, content in constants:
            if content_of(now.get(name)) != content:
                return where
        return None

    return changed


def _callables(names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in list(names.items()) if _is_callable(value)}


def _content(value: Any) -> bytes | str:
    """A constant's content, to be compared with."""
    return np.asarray(value).tobytes() if hasattr(value, "__array__") else repr(value)


def _is_callable(value: Any) -> bool:
    """Functions, classes, properties and the like, told by their type alone."""
    return callable(value) or issubclass(type(value), property | staticmethod | classmethod)
