"""Which functions of a package ran: no name counts as tried because its letters stand in a test."""

import inspect
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any


class Recording:
    """Notes every function of a package that runs, in any thread, from `start` on."""

    def __init__(self, package: ModuleType) -> None:
        """Look at the files below the package."""
        self._root = str(Path(str(package.__file__)).parent)
        self._ran: dict[CodeType, set[type]] = {}

    def start(self) -> None:
        """Begin; threads that run already are not seen."""
        sys.setprofile(self._note)
        threading.setprofile(self._note)

    def stop(self) -> None:
        """End in this thread."""
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(self._root) and code.co_argcount:
            owner = frame.f_locals[code.co_varnames[0]]
            self._ran.setdefault(code, set()).add(owner if isinstance(owner, type) else type(owner))

    def saw(self, kind: type, member: Any) -> bool:
        """Tell whether a method or a property ran for an object of this class: several may share its code."""
        code = code_of(member)
        return code is not None and any(issubclass(owner, kind) for owner in self._ran.get(code, ()))

    def owns(self, member: Any) -> bool:
        """Tell whether a member is the package's own, and not Python's."""
        code = code_of(member)
        return code is None or code.co_filename.startswith(self._root)


def code_of(member: Any) -> CodeType | None:
    """Return the code of a method or a property, under whatever decorators it lies; None for another descriptor."""
    function: Callable[..., Any] = getattr(member, "fget", None) or getattr(member, "func", None) or member
    return getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)


def members(kind: type) -> dict[str, Any]:
    """Return the public methods and properties of a class, and `__call__` when it has one; not its plain values."""
    found = {name: inspect.getattr_static(kind, name) for name in dir(kind) if name[0] != "_" or name == "__call__"}
    return {name: value for name, value in found.items() if hasattr(value, "__get__") and not isinstance(value, type)}
