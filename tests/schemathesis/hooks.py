"""What the document says in words and a schema cannot."""

import re
import uuid

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    """`X-Kroger-User` and `user_id` must be alike; by chance they never are."""
    header = any(name.lower() == "x-kroger-user" for name in case.headers or {})
    return not (header and "user_id" in (case.query or {}))


@schemathesis.hook
def before_call(context, case, kwargs):
    """A key names one add: made up twice, it would go with other items."""
    for name, key in list((case.headers or {}).items()):
        if name.lower() == "idempotency-key" and re.fullmatch("[!#-~]([ -~]*[!-~])?", str(key)):
            case.headers[name] = f"{key[:200]}-{uuid.uuid4()}"
