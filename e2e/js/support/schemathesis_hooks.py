"""What the fuzzer of the HTTP API cannot know from its document."""

import uuid

import schemathesis

#: The document limits names by characters, the service by bytes.
LONGEST_NAME = 128
LONGEST_EVENT = 64


@schemathesis.hook
def before_call(context, case, kwargs):
    """Each valid message has a key of its own, and no live stream goes on for long."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance((case.headers or {}).get("Idempotency-Key"), str):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    if case.operation.path.endswith("/follow"):
        case.query = {**(case.query or {}), "seconds": 0.05}


@schemathesis.hook
def filter_case(context, case):
    body = case.body if isinstance(case.body, dict) else {}
    values = [*(case.path_parameters or {}).values(), *(case.query or {}).values(), *body.values()]
    values += [name for value in body.values() if isinstance(value, list) for name in value]
    names = [value for value in values if isinstance(value, str)]
    return is_within(body.get("event"), LONGEST_EVENT) and all(is_within(name, LONGEST_NAME) for name in names)


def is_within(name, most):
    """Whether the service and the document agree on the length of a name."""
    return not isinstance(name, str) or name.isascii() or len(name.encode(errors="surrogatepass")) <= most
