"""What all surfaces share: settings, faults, ground truth, golden payloads, limits; and how one call runs."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from hashlib import sha256

from aiohttp import web

from emulator.golden_files import GoldenFiles, NoSuchGoldenError, load
from emulator.ground_truth import Entry, GroundTruth
from emulator.limits import Quotas
from emulator.markers import read_directions
from emulator.settings import CoreSettings
from emulator.toy_model.answer import Answer, Ask, compose
from emulator.wire.delivery import deliver
from emulator.wire.faults import BREAKING, Fault, FaultScript, UnknownFaultError, parse_fault
from emulator.wire.replies import Exchange, Received, RefusalError, Reply, SentResponse

RATE_MESSAGE = "ai.textGenerationCompletionRequestsPerHour.rate rate quota limit exceed: allowed 100 requests"
Route = Callable[["Call"], Awaitable[Reply]]


class Core:
    """The state of one emulator."""

    def __init__(self, settings: CoreSettings, *, now: Callable[[], float] = time.time) -> None:
        """Build everything from the settings; `now` returns Unix seconds."""
        self.settings, self.now = settings, now
        self.faults = FaultScript(settings.random_seed)
        self.ground_truth = GroundTruth(settings.ground_truth_limit, keep_bodies=settings.ground_truth_bodies)
        self.golden = GoldenFiles()
        self.quotas = Quotas(settings)
        self._random = random.Random(settings.random_seed)  # noqa: S311 - latency, not secrets
        self._marker_uses: dict[tuple[str, str, int], int] = {}
        self._id_prefix = uuid.uuid4().hex[:20]
        self._id_number = 0

    def reset(self) -> None:
        """Forget faults, log and counters; credentials stay."""
        self.faults.clear()
        self.golden.clear()
        self.ground_truth.clear()
        self.quotas.reset()
        self._marker_uses.clear()

    def new_id(self) -> str:
        """Return an id that looks like a UUID; cheap, because every response carries one."""
        self._id_number += 1
        tail, start = f"{self._id_number:012x}", self._id_prefix
        return f"{start[:8]}-{start[8:12]}-4{start[12:15]}-a{start[15:18]}-{tail}"

    def latency_s(self, ask: Ask | None, fault: Fault | None) -> float:
        """Return how long the first byte must wait."""
        settings = self.settings
        median, sigma = settings.latency_ms, settings.latency_sigma
        if ask is not None and ask.directions.latency_ms is not None:
            median, sigma = ask.directions.latency_ms, 0.0
        if fault is not None and fault.name == "latency":
            median, sigma = fault.number("ms", 500), 0.0
        elif fault is not None and fault.name == "lognormal":
            median, sigma = fault.number("median", 200), fault.number("sigma", 0.6)
        if median <= 0:
            return 0.0
        return median / 1000 * (self._random.lognormvariate(0.0, sigma) if sigma > 0 else 1.0)

    def may_strike(self, fault: Fault, provider: str, ask: Ask) -> bool:
        """Apply a prompt marker's `on=provider`, `model=part of its name` and `times=n`."""
        if fault.args.get("on", provider) != provider or fault.args.get("model", "") not in ask.model:
            return False
        if "times" not in fault.args:
            return True
        key = (provider, fault.name, hash(ask.prompt))
        self._marker_uses[key] = self._marker_uses.get(key, 0) + 1
        return self._marker_uses[key] <= fault.number("times", 1)


class Call:
    """One call in the making: what was received, its ground-truth entry and what must be undone at the end."""

    __slots__ = ("core", "entry", "fault", "provider", "received", "releases")

    def __init__(self, core: Core, received: Received, entry: Entry, provider: str) -> None:
        """Tie them together."""
        self.core, self.received, self.entry, self.provider = core, received, entry, provider
        self.releases: list[Callable[[], None]] = []
        self.fault: Fault | None = None

    def note_ask(self, ask: Ask) -> None:
        """Write down what was asked, and read the directions that the prompt holds."""
        ask.directions = read_directions(ask.prompt)
        entry = self.entry
        entry.model, entry.stream, entry.messages = ask.model, ask.stream, ask.messages
        entry.prompt_chars, entry.tools, entry.sampling = ask.prompt_chars, len(ask.tools), ask.sampling
        entry.prompt_tokens = ask.prompt_tokens

    def note_credential(self, credential: str) -> None:
        """Write down a digest of who called."""
        self.entry.credential_sha256 = sha256(credential.encode()).hexdigest()

    def choose_fault(self, *, model: str = "", ask: Ask | None = None) -> Fault | None:
        """Return the fault to commit: a waiting replay, else the header's, the script's or the prompt's."""
        core, header = self.core, self.received.header("x-emulator-fault")
        replay = core.golden.take(self.provider, token_call=self.entry.operation == "token")
        if replay is not None:
            fault: Fault | None = Fault("golden", {"name": replay})
        elif header is not None:
            fault = parse_fault(header)
        else:
            fault = core.faults.take(self.provider, self.entry.operation, model)
            wanted = ask.directions.fault if fault is None and ask is not None else None
            if fault is None and "~" in model:
                fault = parse_fault(model.split("~", 1)[1])
            if wanted is not None and ask is not None and core.may_strike(wanted, self.provider, ask):
                fault = wanted
        if fault is not None:
            self.entry.fault = fault.name
        self.fault = fault
        return fault

    def compose(self, ask: Ask, fault: Fault | None) -> Answer:
        """Let the toy model answer and write down the counts."""
        answer = compose(ask, tokens_per_chunk=self.core.settings.tokens_per_chunk, fault=fault)
        entry = self.entry
        entry.completion_tokens = answer.completion_tokens * ask.choices
        entry.reasoning_tokens = answer.reasoning_tokens * ask.choices
        entry.cached_tokens = answer.cached_tokens
        return answer

    def gap_s(self, ask: Ask) -> float:
        """Return the time between two chunks."""
        gap_ms = ask.directions.gap_ms
        return (self.core.settings.chunk_gap_ms if gap_ms is None else gap_ms) / 1000


class Surface:
    """One listener's routes. Every routed call leaves one ground-truth entry."""

    provider = ""

    def __init__(self, core: Core) -> None:
        """Subclasses fill `routes`: "METHOD /path" -> (operation, handler)."""
        self.core = core
        self.routes: dict[str, tuple[str, Route]] = {}
        # "METHOD /path/" -> the same for paths that end in an id.
        self.prefixes: list[tuple[str, str, Route]] = []

    def find(self, method: str, path: str) -> tuple[str, Route] | None:
        """Return operation and handler."""
        wanted = f"{method} {path}"
        found = self.routes.get(wanted)
        if found is None:
            for prefix, operation, route in self.prefixes:
                if wanted.startswith(prefix):
                    return operation, route
        return found

    def unknown_path(self, call: Call) -> Reply:
        """Answer a path that the provider does not have."""
        raise NotImplementedError

    def bad_json(self, call: Call) -> Reply:
        """Answer a body that is no JSON."""
        raise NotImplementedError

    def error(self, call: Call, code: int, message: str | None = None) -> Reply:
        """Return an error in the provider's envelope, with its usual message unless one is given."""
        raise NotImplementedError

    def choose_fault(self, call: Call, *, model: str = "", ask: Ask | None = None) -> Fault | None:
        """Return the fault that the answer must have, if any.

        Raises:
            RefusalError: the fault is a replay or an error; its reply is sent in place of an answer.
        """
        fault = call.choose_fault(model=model, ask=ask)
        reply = None if fault is None else ordered_error(self, call, fault)
        if reply is not None:
            raise RefusalError(reply)
        return fault

    async def handle(self, request: web.BaseRequest) -> SentResponse:
        """Serve one HTTP request."""
        exchange = Exchange(request, await request.read())
        with self.opened(exchange) as (call, route):
            reply = await self.answer(call, route)
            await deliver(exchange, reply, call.entry)
            call.entry.ended = ending(call.entry, reply)
        return exchange.finished()

    @contextmanager
    def opened(self, received: Received) -> Iterator[tuple[Call, Route | None]]:
        """Open the entry of a call and find its route; close the entry at the end, whatever happens."""
        found = self.find(received.method, received.path)
        operation, route = found if found is not None else ("unknown", None)
        core = self.core
        entry = core.ground_truth.open(
            self.provider, operation, received.path, body=received.body, started_at=core.now()
        )
        entry.traceparent = received.header("traceparent")
        call = Call(core, received, entry, self.provider)
        try:
            yield call, route
        except (asyncio.CancelledError, ConnectionError):
            entry.ended = "client_gone"
            raise
        finally:
            entry.ended_at = core.now()
            for release in call.releases:
                release()

    async def answer(self, call: Call, route: Route | None) -> Reply:
        """Return what the provider says to the call; refusals too."""
        try:
            return self.unknown_path(call) if route is None else await route(call)
        except RefusalError as refusal:
            return refusal.reply
        except (UnknownFaultError, NoSuchGoldenError) as error:
            return Reply([str(error).encode()], status=400, content_type=b"text/plain")
        except ValueError:
            return self.bad_json(call)


def ordered_error(surface: Surface, call: Call, fault: Fault) -> Reply | None:
    """Return the error response that the fault stands for; None when the fault strikes later."""
    if fault.name == "golden":
        return load(fault.text("name", "")).reply()
    if fault.name == "redirect":
        location = fault.text("location", "http://169.254.169.254/latest/meta-data/")
        return Reply([b""], int(fault.number("status", 302)), headers=f"location: {location}\r\n".encode())
    if fault.name == "token_expired":
        return surface.error(call, 401)
    if fault.name == "rate_limit":
        reply = surface.error(call, 429, RATE_MESSAGE if fault.text("kind", "gauge") == "rate" else None)
        reply.headers += retry_after(fault, surface.core.now())
        return reply
    if fault.name != "status":
        return None
    code = int(fault.number("code", 500))
    if "html" in fault.args:
        return Reply([b"<html>\r\n<head><title>%d</title></head>\r\n</html>\r\n" % code], code, b"text/html")
    return surface.error(call, code, fault.args.get("message", "").replace("_", " ") or None)


def retry_after(fault: Fault, now: float) -> bytes:
    """Return the Retry-After line in the form asked for."""
    form = fault.text("retry_after", "absent")
    if form == "absent":
        return b""
    if form == "date":
        return f"retry-after: {formatdate(now + fault.number('seconds', 2), usegmt=True)}\r\n".encode()
    return f"retry-after: {'-5' if form == 'negative' else form}\r\n".encode()


def ending(entry: Entry, reply: Reply) -> str:
    """Return the word of the log for how a call ended."""
    if entry.fault in BREAKING or reply.abrupt_end:
        return "fault"
    return "complete" if entry.status < 400 else "refused"
