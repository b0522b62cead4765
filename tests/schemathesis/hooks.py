"""What the document says in words and a schema cannot."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    """`X-Kroger-User` and `user_id` must be alike; by chance they never are."""
    header = any(name.lower() == "x-kroger-user" for name in case.headers or {})
    return not (header and "user_id" in (case.query or {}))
