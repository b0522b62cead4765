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


# A random number names no product of Kroger's, so the add of one is refused.
A_NUMBER = re.compile("(?=[0 -]*[1-9])[0-9]([ -]*[0-9]){0,12}")
A_PRODUCT = "0001111041700"


def name_products(case):
    """Puts a product of the sandbox's in place of each valid number."""
    body = case.body if isinstance(case.body, dict) else {}
    items = body.get("items")
    for item in [body, case.query or {}, *(items if isinstance(items, list) else [])]:
        if isinstance(item, dict) and isinstance(item.get("upc"), str) and A_NUMBER.fullmatch(item["upc"]):
            item["upc"] = A_PRODUCT


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes each key unique, because a key names one add. Keeps the item in one place, and names a product."""
    name_products(case)
    for name, key in list((case.headers or {}).items()):
        if name.lower() == "idempotency-key" and re.fullmatch("[!#-~]([ -~]*[!-~])?", str(key)):
            case.headers[name] = f"{key[:200]}-{uuid.uuid4()}"
    if may_have_a_body(case) and case.body is not NOT_SET:
        # Schemathesis combines the document's examples without `filter_case`.
        case.query = {name: value for name, value in (case.query or {}).items() if name not in ITEM}
