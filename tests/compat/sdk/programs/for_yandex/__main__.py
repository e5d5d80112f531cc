"""Run by the tests with the emulator's addresses: every scenario, then every public name and what became of it."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import yandex_ai_studio_sdk
from recording import Recording, members
from running import report
from yandex_ai_studio_sdk._datasets.task_types import DatasetsWrapper, TaskTypeProxy

from for_yandex import language, learning, models, resources, search, speech

# Public by its name only: the SDK's own plumbing, and what reads a microphone.
INSIDE = ("_client", "_exceptions", "_testing", "_experimental", "cli")
LEFT_OUT = {
    "ImageGenerationModel.attach_deferred": "raises AttributeError in the SDK itself, whatever it talks to (0.22.1)",
}


def names(recording: Recording) -> Iterator[tuple[str, str]]:
    """Yield every public name of the SDK's classes; "called" when it ran in both ways, blocking and not."""
    for module in modules():
        for name, kind in vars(module).items():
            if not inspect.isclass(kind) or kind.__module__ != module.__name__ or not name.startswith("Async"):
                continue
            blocking = vars(module).get(name.removeprefix("Async"))
            if blocking is None or name.endswith("Mixin"):
                continue
            for member, found in members(kind).items():
                if not recording.owns(found):
                    continue
                path = f"{blocking.__name__}.{member}"
                both = ran(recording, kind, member) and ran(recording, blocking, member)
                yield path, "called" if both else LEFT_OUT.get(path, "")


def ran(recording: Recording, kind: type, name: str) -> bool:
    """Tell whether a member ran; a kind of dataset is a name for methods, which were called by it."""
    member = inspect.getattr_static(kind, name)
    if isinstance(member, TaskTypeProxy):
        return name in learning.ROWS and recording.saw(DatasetsWrapper, vars(DatasetsWrapper)["draft_from_path"])
    return recording.saw(kind, member)


def modules() -> Iterator[ModuleType]:
    """Yield the modules of the SDK that hold what it offers."""
    root = Path(str(yandex_ai_studio_sdk.__file__)).parent
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        if parts[0] not in INSIDE and "langchain" not in parts:
            yield importlib.import_module(".".join((root.name, *parts)))


MODULES = [language, models, resources, learning, search, speech]
report(MODULES, Recording(yandex_ai_studio_sdk), lambda recording: dict(names(recording)))
