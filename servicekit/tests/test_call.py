"""What a call carries along."""

from structlog.contextvars import bound_contextvars, get_contextvars

from servicekit.call import CallContext, current_call, enter_call
from servicekit.tracing import begin_trace


def test_log_lines_of_a_call_name_its_request_and_trace() -> None:
    """Whatever a service logs while it serves a call can be joined with the gateway's line."""
    call = CallContext("request-1", begin_trace(None))

    with bound_contextvars():
        enter_call(call)
        found = get_contextvars()

    assert current_call() == call
    assert found == {"request_id": "request-1", "trace_id": call.trace.trace_id}
