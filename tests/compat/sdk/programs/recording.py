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
        self._ran: set[CodeType] = set()

    def start(self) -> None:
        """Begin; threads that run already are not seen."""
        sys.setprofile(self._note)
        threading.setprofile(self._note)

    def stop(self) -> None:
        """End in this thread."""
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(self._root):
            self._ran.add(frame.f_code)

    def saw(self, member: Any) -> bool:
        """Tell whether a method or a property ran."""
        return code_of(member) in self._ran

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
