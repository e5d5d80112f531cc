"""Work of minutes that a folder lists: a task, and the operation behind it."""

from collections.abc import Callable
from typing import Any

from emulator.core import Core
from emulator.kept import Kept
from emulator.yandex.operations import Operation, OperationsSurface
from emulator.yandex.resources.collection import Resources, paged
from emulator.yandex.resources.service import Asked
from emulator.yandex.surface import timestamp

# Gives a message of a task: its metadata at the beginning, its response at the end.
Told = Callable[[dict[str, Any]], dict[str, Any]]


class Tasks:
    """All tasks of one kind."""

    def __init__(self, core: Core, operations: OperationsSurface, label: str, prefix: str) -> None:
        """Name the kind as errors do; ids begin with `prefix`."""
        self._tasks = Resources(core, label, prefix, "taskId")
        self._operations = operations
        self._behind: Kept[Operation] = Kept()

    def begin(self, asked: Asked, description: str, metadata: Told, finish: Told, **fields: Any) -> dict[str, Any]:
        """Start a task with these fields; return its operation as it is told."""
        task = self._tasks.create(asked, status="IN_PROGRESS", **fields)
        operation = self._operations.begin(description, lambda: self._ended(task, finish), metadata(task))
        self._behind.put(task["taskId"], operation)
        task |= {"operationId": operation.id, "startedAt": task["createdAt"]}
        return self._operations.told(operation, begun=True)

    def named(self, asked: Asked, task_id: str) -> dict[str, Any]:
        """Return a task as it is now, or refuse."""
        return self._looked_at(self._tasks.named(asked, task_id))

    def page(self, asked: Asked) -> tuple[list[dict[str, Any]], str]:
        """Return a page of the tasks, of one status when so asked, and the token of the next page."""
        found = [self._looked_at(task) for task in self._tasks.all(asked)]
        return paged(asked, [task for task in found if asked.text("status") in ("", task["status"])])

    def cancel(self, asked: Asked, task_id: str) -> dict[str, Any]:
        """End a task that still runs; return it."""
        task = self.named(asked, task_id)
        operation = self._behind.get(task_id)
        if operation is not None:
            self._operations.cancel(operation)
        return self._looked_at(task)

    def delete(self, asked: Asked, task_id: str) -> dict[str, Any]:
        """Forget a task; return what it was."""
        return self._tasks.delete(asked, task_id)

    def _looked_at(self, task: dict[str, Any]) -> dict[str, Any]:
        operation = self._behind.get(task["taskId"])
        if operation is not None and self._operations.is_done(operation) and task["status"] == "IN_PROGRESS":
            task |= {"status": "CANCELED", "finishedAt": timestamp(operation.done_at)}
        return task

    def _ended(self, task: dict[str, Any], finish: Told) -> dict[str, Any]:
        operation = self._behind.get(task["taskId"])
        task |= {"status": "COMPLETED", "finishedAt": timestamp(operation.done_at if operation is not None else 0)}
        return finish(task)
