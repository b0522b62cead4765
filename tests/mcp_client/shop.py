"""Makes a shopping trip with an independent client, Python's `mcp`: signs in through
the sandbox, searches, checks and fills a cart, and goes on after the sign-in
dies. Also plays the person, who opens the link, compares the number and agrees at
Kroger.

    shop.py KROGER_MCP http|stdio [REVISION]
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from http.cookiejar import CookieJar

import mcp
from mcp import Client, StdioServerParameters
from mcp.types import ElicitResult

MILK = "0001111041700"
URL_ELICITATION_REQUIRED = -32042


class Person:
    """Signs in by each link, and remembers the address of Kroger."""

    def __init__(self):
        self.kroger = None
        self.asked = 0

    async def answer(self, _context, params):
        self.asked += 1
        number = re.search(r"number (\d{4})", params.message).group(1)
        await asyncio.to_thread(self.sign_in, params.url, number)
        return ElicitResult(action="accept")

    def sign_in(self, link, number):
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        page = browser.open(link).read().decode()
        assert f"<strong>{number}</strong>" in page, page
        origin = re.match(r"https?://[^/]+", link).group(0)
        leaving = browser.open(urllib.request.Request(link, data=b"", headers={"Origin": origin})).read().decode()
        kroger = re.search(r'href="([^"]+)"', leaving).group(1).replace("&amp;", "&")
        self.kroger = re.match(r"https?://[^/]+", kroger).group(0)
        browser.addheaders = [("Accept", "text/html")]
        done = browser.open(f"{kroger}&sandbox_user=alice&sandbox_decision=allow").read().decode()
        assert "now connected" in done, done

    def post(self, path, body):
        request = urllib.request.Request(
            f"{self.kroger}/_sandbox/{path}", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        return urllib.request.urlopen(request).read()

    def cart(self):
        state = json.load(urllib.request.urlopen(f"{self.kroger}/_sandbox/state"))
        return {item["upc"]: item["quantity"] for item in state["carts"].get("alice", [])}


async def call(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, f"{tool}: {result.content[0].text}"
    print(f"  {tool}: {result.content[0].text.splitlines()[0][:100]}")
    return result.structured_content


async def trip(client, person):
    listed = await client.list_tools()
    print(f"  {len(listed.tools)} tools, revision {client.protocol_version}")
    status = await call(client, "token_status")
    assert not status["signed_in"], status
    location = (await call(client, "find_stores", zip_code="45202", radius_miles=50))["stores"][0]
    await call(client, "set_preferred_store", store_id=location["store_id"])
    found = await call(client, "search_products", terms=["milk", "eggs"], in_stock_only=True)
    items = [{"upc": one["products"][0]["upc"], "quantity": 2} for one in found["results"]]
    checked = await call(client, "check_cart_items", items=items)
    assert checked["estimated_total"] > 0, checked
    await add(client, person, items, "trip-1")
    cart = person.cart()
    assert all(cart[item["upc"]] == 2 for item in items), cart
    await recover(client, person)


async def add(client, person, items, key):
    """Adds items. Signs in first if asked to, in the way of the protocol's revision."""
    arguments = {"items": items, "idempotency_key": key}
    try:
        result = await client.call_tool("add_to_cart", arguments)
    except mcp.MCPError as error:
        if error.code != URL_ELICITATION_REQUIRED:
            raise
        for asked in mcp.UrlElicitationRequiredError.from_error(error.error).elicitations:
            await person.answer(None, asked)
        result = await client.call_tool("add_to_cart", arguments)
    if result.is_error and "reauthorize" in result.content[0].text:
        text = result.content[0].text
        link = re.search(r"Link for the user: (\S+)", text).group(1)
        number = re.search(r"number (\d{4})", text).group(1)
        person.asked += 1
        await asyncio.to_thread(person.sign_in, link, number)
        assert (await call(client, "token_status"))["signed_in"]
        result = await client.call_tool("add_to_cart", arguments)
    assert not result.is_error, result.content[0].text
    print(f"  add_to_cart: {result.content[0].text.splitlines()[0][:100]}")


async def recover(client, person):
    asked = person.asked
    person.post("revoke", {"user": "alice"})
    await add(client, person, [{"upc": MILK, "quantity": 1}], "trip-2")
    assert person.asked == asked + 1, "the person was not asked again"
    assert person.cart()[MILK] >= 1
    print("  recovered: the person signed in again, and the item is in the cart once")


def start_server(binary, folder):
    server = subprocess.Popen(
        [binary, "serve", "--sandbox", "--listen", "127.0.0.1:0"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    line = server.stdout.readline()
    return server, re.search(r"http://[^/]+", line).group(0)


async def main(binary, way, revision):
    person = Person()
    options = {"elicitation_callback": person.answer, "mode": revision} if revision else {"elicitation_callback": person.answer}
    with tempfile.TemporaryDirectory() as folder:
        if way == "stdio":
            arguments = ["stdio", "--sandbox", "--listen", "127.0.0.1:0"]
            async with Client(StdioServerParameters(command=binary, args=arguments, cwd=folder), **options) as client:
                await trip(client, person)
            return
        server, url = start_server(binary, folder)
        try:
            async with Client(f"{url}/mcp", **options) as client:
                await trip(client, person)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    began = time.monotonic()
    arguments = sys.argv[1:]
    print(" ".join(arguments[1:]))
    asyncio.run(main(arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else None))
    print(f"  done in {time.monotonic() - began:.1f} s")
