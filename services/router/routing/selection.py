"""Which candidate of a request is asked next: the first that its circuit, its credential and no drain keep away."""

from __future__ import annotations

from msgspec.structs import replace

from servicekit.errors import ServiceError
from services.router.circuits import metrics
from services.router.circuits.admission import Admission
from services.router.circuits.circuits import Choice, Circuits
from services.router.domain.catalog import Model
from services.router.domain.completion import Attempt
from services.router.providers import failures
from services.router.routing.routed_request import RoutedRequest


class Selection:
    """Moves requests on to who may be asked."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits

    def left(self, request: RoutedRequest) -> list[Model]:
        """Return the candidates after this one that could be asked now."""
        return [each for each in request.candidates[request.at + 1 :] if self._circuits.is_available(each)]

    def admitted(self, request: RoutedRequest, failure: ServiceError | None) -> Admission:
        """Move on to the first candidate that may be asked.

        Raises:
            ServiceError: nobody may; the failure of the call before, if there was one.
        """
        choice = self._choice(request, is_first=failure is None)
        for model, why in choice.skipped:
            metrics.SKIPPED.labels(model.provider, model.id, why.value).inc()
            request.attempts.append(Attempt(model.provider, model.id, why.value, 0))
        if choice.admission is None:
            raise failure or self._nobody(request)
        if choice.at != request.at:
            request.at, request.tries_of_candidate = choice.at, 0
        return choice.admission

    def _choice(self, request: RoutedRequest, *, is_first: bool) -> Choice[Model]:
        if not request.kept:
            return self._circuits.choose(request.candidates, request.at, is_first=is_first)
        # Another model would not go on with what this one has begun.
        begun = self._circuits.choose([request.candidates[request.at]], 0, is_first=is_first)
        return replace(begun, at=request.at)

    def _nobody(self, request: RoutedRequest) -> ServiceError:
        asked = request.candidates[0]
        metrics.NO_HEALTHY.labels(asked.id).inc()
        error = failures.no_healthy_provider(self._circuits.ready_in_s(request.candidates))
        error.details["attempts"] = request.tried()
        return error
