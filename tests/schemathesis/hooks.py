"""What the document says in words and a schema cannot."""

import re
import uuid

import schemathesis
from schemathesis.core import NOT_SET

ITEM = {"upc", "quantity", "modality"}


@schemathesis.hook
def filter_case(context, case):
    return names_one_user(case) and has_one_item(case)


def names_one_user(case):
    """`X-Kroger-User` and `user_id` must be alike; by chance they never are."""
    header = any(name.lower() == "x-kroger-user" for name in case.headers or {})
    return not (header and "user_id" in (case.query or {}))


def has_one_item(case):
    """The item is in the body or in the query, never in both or in neither."""
    if not may_have_a_body(case):
        return True
    in_query = ITEM & set(case.query or {})
    return not in_query if case.body is not NOT_SET else "upc" in in_query


def may_have_a_body(case):
    return case.operation.path == "/cart/add/simple"


@schemathesis.hook
def before_call(context, case, kwargs):
    """A key names one add: made up twice, it would go with other items. An item is in one place."""
    for name, key in list((case.headers or {}).items()):
        if name.lower() == "idempotency-key" and re.fullmatch("[!#-~]([ -~]*[!-~])?", str(key)):
            case.headers[name] = f"{key[:200]}-{uuid.uuid4()}"
    if may_have_a_body(case) and case.body is not NOT_SET:
        # The document's examples are put together unfiltered.
        case.query = {name: value for name, value in (case.query or {}).items() if name not in ITEM}
