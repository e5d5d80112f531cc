"""Selects the next candidate: the first whose circuit, credential and drain state allow it."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from servicekit.errors import ErrorReason, ServiceError
from services.router.circuits import metrics
from services.router.circuits.admission import Admission
from services.router.circuits.circuits import Choice, Circuits
from services.router.circuits.domain.target import SkipReason
from services.router.domain.catalog import Model
from services.router.domain.completion import Attempt
from services.router.providers import failures
from services.router.routing.routed_request import RoutedRequest

# What another model would not have said.
_OF_THIS_MODEL: Final = (ErrorReason.UNSUPPORTED_PARAMETER, ErrorReason.MODEL_NOT_FOUND)


class Selection:
    """Advances requests to the next candidate that may be called."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits

    def left(self, request: RoutedRequest) -> list[Model]:
        """Return the candidates after this one that could be asked now: none once this one has answered in part."""
        if request.kept:
            return []
        may_be = self._circuits.may_be_last_resort if request.is_last_resort else self._circuits.is_available
        return [each for each in request.candidates[request.at + 1 :] if may_be(each)]

    def admitted(self, request: RoutedRequest) -> Admission:
        """Move on to the first candidate that may be asked.

        Raises:
            ServiceError: nobody may; what `told` says of the calls before, if there were any.
        """
        choice = self._choice(request, is_first=request.failure is None or request.is_last_resort)
        for model, why in choice.skipped:
            metrics.SKIPPED.labels(model.provider, model.id, why.value).inc()
            request.attempts.append(Attempt(model.provider, model.id, why.value, 0))
            if why is not SkipReason.DRAINED:
                request.passed_over.append(model)
        if choice.admission is None:
            raise self._nobody(request) if request.failure is None else self.told(request, request.failure)
        chosen = request.candidates[choice.at]
        if chosen is not request.candidates[request.at]:
            request.tries_of_candidate = 0
        if not choice.admission.is_last_resort:
            request.at = choice.at
            return choice.admission
        # The least bad first; whom it was not are left after it.
        others = [each for each in request.candidates[request.at :] if each is not chosen]
        request.candidates = [*request.candidates[: request.at], chosen, *others]
        request.is_last_resort = True
        return choice.admission

    def told(self, request: RoutedRequest, failure: ServiceError) -> ServiceError:
        """Return what is told of a request for which nothing is left to try.

        Where a stand-in cannot take it and whoever could is out for a moment, it need not be changed to be answered.
        """
        window = request.candidates[request.at].context_length
        if failure.reason is ErrorReason.CONTEXT_LENGTH_EXCEEDED:
            able = [model for model in request.passed_over if model.context_length > window]
        elif failure.reason in _OF_THIS_MODEL:
            able = request.passed_over
        else:
            able = []
        if able:
            failure = failures.no_healthy_provider(self._circuits.ready_in_s(able))
        failure.details["attempts"] = request.tried()
        return failure

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
