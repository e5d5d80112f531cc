"""What is kept of assistants and threads, each by its key: another key does not see it."""

from dataclasses import dataclass, field
from typing import Any

from emulator.core import Core
from emulator.kept import Kept


@dataclass(slots=True)
class Assistant:
    """A model with instructions, functions and files of its own."""

    id: str
    owner: str
    model: str
    name: str
    created_at: int
    updated_at: int
    description: str | None = None
    instructions: str | None = None
    file_ids: list[str] = field(default_factory=list)
    functions: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a thread as it was sent or generated."""

    id: str
    created_at: int
    body: dict[str, Any]
    finish_reason: str | None = None


@dataclass(slots=True)
class Thread:
    """A conversation. A run's messages are seen when it is done."""

    id: str
    owner: str
    model: str
    created_at: int
    updated_at: int
    assistant_id: str | None = None
    messages: list[Message] = field(default_factory=list)
    run_ends_at: float = 0.0
    # The messages of the last run, from this place on.
    run_begins_with: int = 0

    def is_running(self, now: float) -> bool:
        """Tell whether a run is going on."""
        return now < self.run_ends_at

    def seen(self, now: float) -> list[Message]:
        """Return the messages that can be read."""
        return self.messages[: self.run_begins_with] if self.is_running(now) else self.messages


class Conversations:
    """The assistants and threads of all keys."""

    def __init__(self, core: Core) -> None:
        """Start with none."""
        self.core = core
        self.assistants: Kept[Assistant] = Kept()
        self.threads: Kept[Thread] = Kept()

    def assistant(self, owner: str, assistant_id: str | None) -> Assistant | None:
        """Return the key's assistant."""
        found = self.assistants.get(assistant_id)
        return found if found is not None and found.owner == owner else None

    def thread(self, owner: str, thread_id: str | None) -> Thread | None:
        """Return the key's thread."""
        found = self.threads.get(thread_id)
        return found if found is not None and found.owner == owner else None

    def begin(self, owner: str, model: str, assistant_id: str | None = None) -> Thread:
        """Start an empty thread."""
        now = int(self.core.now())
        thread = Thread(self.core.new_id(), owner, model, now, now, assistant_id)
        return self.threads.put(thread.id, thread)

    def add(self, thread: Thread, body: dict[str, Any], finish_reason: str | None = None) -> Message:
        """Append a message."""
        now = int(self.core.now())
        message = Message(self.core.new_id(), now, body, finish_reason)
        thread.messages.append(message)
        thread.updated_at = now
        return message
