"""Applies the rules that the document states in words and no schema can express."""

import re
import uuid

import schemathesis
from schemathesis.core import NOT_SET

ITEM = {"upc", "quantity", "modality"}


@schemathesis.hook
def filter_case(context, case):
    return names_one_user(case) and has_one_item(case)


def names_one_user(case):
    """Rejects a case with both `X-Kroger-User` and `user_id`: they must be equal, and random ones never are."""
    header = any(name.lower() == "x-kroger-user" for name in case.headers or {})
    return not (header and "user_id" in (case.query or {}))


def has_one_item(case):
    """Accepts a case whose item is either in the body or in the query."""
    if not may_have_a_body(case):
        return True
    in_query = ITEM & set(case.query or {})
    return not in_query if case.body is not NOT_SET else "upc" in in_query


def may_have_a_body(case):
    return case.operation.path == "/cart/add/simple"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes each key unique, because a key names one add. Keeps the item in one place."""
    for name, key in list((case.headers or {}).items()):
        if name.lower() == "idempotency-key" and re.fullmatch("[!#-~]([ -~]*[!-~])?", str(key)):
            case.headers[name] = f"{key[:200]}-{uuid.uuid4()}"
    if may_have_a_body(case) and case.body is not NOT_SET:
        # Schemathesis combines the document's examples without `filter_case`.
        case.query = {name: value for name, value in (case.query or {}).items() if name not in ITEM}
