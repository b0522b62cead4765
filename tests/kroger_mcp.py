"""Starts the real binary, signs customers in and calls it, for the drivers in
`oauth_server/`, `schemathesis/` and `soak/`. Uses only the standard library. It
never judges a result."""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
CALLBACK = "http://localhost:9004/auth/callback"
START_SECONDS = 60
CALL_SECONDS = 60


def upc(number):
    """A UPC for each number. Its last digit is not the check digit of the others, so
    it is no barcode and is sent without a look-up."""
    digits = f"{number:012d}"
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return f"{digits}{(11 - total % 10) % 10}"


class Answer:
    """A status and a body. Status 0: there was no answer."""

    def __init__(self, status, body=b"", location=""):
        self.status = status
        self.body = body
        self.location = location

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    def code(self):
        """The `code` of a problem document, else the status."""
        return self.json().get("code") or str(self.status)


def call(method, url, body=None, headers=None):
    """Sends one request on its own connection. Never sends it twice."""
    parts = urllib.parse.urlsplit(url)
    target = parts.path + ("?" + parts.query if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=CALL_SECONDS)
    headers = dict(headers or {})
    if body is not None:
        headers["content-type"] = "application/json"
    try:
        connection.request(method, target, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(), response.getheader("location") or "")
    except (OSError, http.client.HTTPException):
        return Answer(0)
    finally:
        connection.close()


def binary():
    """The path in `KROGER_MCP`, else the release binary of this checkout."""
    path = pathlib.Path(os.environ.get("KROGER_MCP") or ROOT / "target/release/kroger-mcp")
    if not path.is_file():
        sys.exit(f"{path} does not exist: run `cargo build --release`, or set KROGER_MCP to the binary")
    return str(path.resolve())


class Process:
    """A running binary with `arguments`. Its output goes to files in `folder`."""

    def __init__(self, folder, name, arguments, environment):
        self.log_path = folder / f"{name}.log"
        self.out_path = folder / f"{name}.out"
        self.log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        environment = {
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(ROOT / "target/tmp/cache"),
            "PATH": os.environ["PATH"],
            **environment,
        }
        # A server that starts again appends to its log.
        with self.log_path.open("ab") as log, self.out_path.open("wb") as out:
            self.child = subprocess.Popen(
                [binary(), *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=log
            )

    def wait_for(self, pattern, path):
        """Waits until the process writes `pattern` to the file at `path`."""
        start = self.log_from if path == self.log_path else 0
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = re.search(pattern, path.read_bytes()[start:].decode(errors="replace"))
            if found:
                return found.group(1)
            if self.child.poll() is not None:
                break
            time.sleep(0.01)
        sys.exit(f"{self.child.args} did not start: {self.log_path.read_text(errors='replace')}")

    def kill(self):
        """Kills it as `kill -9` does."""
        self.child.kill()
        self.child.wait()

    def stop(self):
        """Interrupts it as Ctrl-C does, and waits for its end."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
        try:
            self.child.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.kill()

    def events(self):
        """The log, one object for each line."""
        for line in self.log_path.read_text(errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # A kill cut this line short.


class Server(Process):
    """`kroger-mcp serve` on a free port."""

    def __init__(self, folder, name, store, environment):
        arguments = ["serve", "--listen", "127.0.0.1:0", "--store", str(store), "--log-format", "json"]
        super().__init__(folder, name, arguments, {"KROGER_REDIRECT_URI": CALLBACK, "KROGER_REFRESH_PAUSE": "0", **environment})
        self.url = "http://" + self.wait_for(r'"listening","address":"([^"]+)"', self.log_path)

    def call(self, method, path, body=None, user=None):
        return call(method, self.url + path, body, {"X-Kroger-User": user} if user else None)

    def add(self, upc, user=None):
        return self.call("PUT", "/cart/add/simple", {"upc": upc}, user)

    def refresh(self, user):
        return self.call("POST", f"/admin/tokens/refresh?user_id={user}")

    def authorization_url(self, user):
        return self.call("GET", f"/auth/authorize?user_id={user}").json().get("authorization_url", "")

    def finish_sign_in(self, redirect):
        """Calls the callback with the query of `redirect`."""
        return self.call("GET", "/auth/callback?" + urllib.parse.urlsplit(redirect).query)

    def tokens(self):
        return self.call("GET", "/admin/tokens").json().get("user_tokens", {})


class Sandbox(Process):
    """`kroger-mcp sandbox` on a free port."""

    def __init__(self, folder, name="sandbox"):
        super().__init__(folder, name, ["sandbox", "--listen", "127.0.0.1:0"], {})
        self.url = self.wait_for(r"Sandbox:\s+(http://[^/]+)/", self.out_path)

    def environment(self):
        return {
            "KROGER_CLIENT_ID": "sandbox-client",
            "KROGER_CLIENT_SECRET": "sandbox-secret",
            "KROGER_API_BASE_URL": self.url,
        }

    def control(self, method, path, body=None):
        answer = call(method, f"{self.url}/_sandbox/{path}", body)
        if answer.status != 200:
            sys.exit(f"the sandbox refused {method} {path}: {answer.body.decode(errors='replace')}")
        return answer.json()

    def sign_in(self, server, user):
        """Signs `user` in as the customer of the same name."""
        link = server.authorization_url(user)
        redirect = call("GET", f"{link}&sandbox_user={user}&sandbox_decision=allow").location
        return server.finish_sign_in(redirect).status == 200


def in_threads(count, work):
    """Runs `work(number)` in `count` threads, and waits for all of them."""
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def table(head, rows):
    """Prints `rows` below `head`. Each column is as wide as its widest text."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for number, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
        if number == 0:
            print("|-" + "-|-".join("-" * width for width in widths) + "-|")
    sys.stdout.flush()
