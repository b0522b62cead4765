"""Measures the time of a pass among ten thousand users and among a million, with
the same number of due users, on the real binary, its store and its sandbox.
Exit code 1: the larger takes at least twice as long, or a user was not refreshed."""

import argparse
import base64
import hashlib
import json
import pathlib
import sqlite3
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kroger_mcp import Sandbox, Server, table  # noqa: E402

# How much of its 1800 s a due token has left. The window is the last 300 s, and a
# user may become due up to a fifth of the window later.
LEFT_SECONDS = 120
# The other users are due evenly in these minutes from now.
LATER_MINUTES = range(60, 90)
# So long that the only pass is the one at the start.
INTERVAL_SECONDS = 3600
PASS_SECONDS = 120


def key_of(user):
    return base64.b32encode(hashlib.sha256(user.encode()).digest()).decode().rstrip("=").lower()


class Population:
    """A store with `size` users. The first `due` users are real customers of the sandbox."""

    def __init__(self, folder, size, due):
        self.folder = folder / str(size)
        self.folder.mkdir()
        self.sandbox = Sandbox(self.folder)
        self.size, self.due = size, [f"due-{number}" for number in range(due)]
        self.environment = self.sandbox.environment() | {"KROGER_TOKEN_CHECK_INTERVAL": str(INTERVAL_SECONDS)}
        self.sign_in()
        self.add_others()

    def server(self, name):
        return Server(self.folder, name, self.folder / "store", self.environment)

    def sign_in(self):
        server = self.server("sign-in")
        for user in self.due:
            if not self.sandbox.sign_in(server, user):
                sys.exit(f"{user} could not sign in: {self.folder}")
        server.stop()

    def open(self):
        store = sqlite3.connect(self.folder / "store/store.sqlite3", isolation_level=None)
        # The data need not survive a power failure.
        store.execute("PRAGMA synchronous = OFF")
        store.execute("BEGIN IMMEDIATE")
        self.bucket = store.execute("SELECT bucket FROM entry WHERE key GLOB 'head.*'").fetchone()[0]
        return store

    def entries(self, store, prefix):
        """Reads the entries under `prefix` by the index, so that it does not scan a million users."""
        statement = "SELECT key, value FROM entry WHERE bucket = ? AND key >= ? AND key < ?"
        return store.execute(statement, (self.bucket, prefix, prefix + "\x7f")).fetchall()

    def insert(self, store, rows):
        statement = "INSERT OR REPLACE INTO entry (bucket, key, value) VALUES (?, ?, ?)"
        store.executemany(statement, ((self.bucket, key, value.encode()) for key, value in rows))

    def add_others(self):
        """Writes all keys of signed-in users. In the order of keys this takes one minute instead of ten."""
        others = sorted((key_of(user), user) for user in (f"other-{n}" for n in range(self.size - len(self.due))))
        now = int(time.time())
        store = self.open()
        self.insert(store, ((f"grant.{key}.1.0.0", record(user, now)) for key, user in others))
        self.insert(store, ((f"head.{key}", "1.0.0") for key, _ in others))
        self.insert(store, ((f"roots.{key}", "1") for key, _ in others))
        self.enter(store, [(now // 60 + LATER_MINUTES[n % len(LATER_MINUTES)], user) for n, (_, user) in enumerate(others)])
        store.execute("COMMIT")
        store.close()

    def enter(self, store, entries):
        """Writes the index by minute: `due.<minute>` has a count, `due.<minute>.<i>` a user."""
        minutes = {}
        for minute, user in entries:
            minutes.setdefault(minute, []).append(user)
        for minute, users in minutes.items():
            self.insert(store, [(f"due.{minute}", str(len(users)))])
            self.insert(store, ((f"due.{minute}.{n}", user) for n, user in enumerate(users, 1)))

    def make_due(self):
        """Ages the tokens of the due users, and enters these users only in the present minute."""
        now = time.time()
        store = self.open()
        for key in map(key_of, self.due):
            for name, value in self.entries(store, f"grant.{key}."):
                grant = json.loads(value)
                grant["tokens"] |= {
                    "obtained_at": int((now + LEFT_SECONDS - 1800) * 1000),
                    "expires_at": int((now + LEFT_SECONDS) * 1000),
                }
                self.insert(store, [(name, json.dumps(grant))])
        first_later = int(now) // 60 + 30
        for name, _ in self.entries(store, "due."):
            if int(name.split(".")[1]) < first_later:
                store.execute("DELETE FROM entry WHERE bucket = ? AND key = ?", (self.bucket, name))
        self.enter(store, [(int(now) // 60, user) for user in self.due])
        store.execute("COMMIT")
        store.close()

    def measure(self, run):
        """Makes one pass. Returns the time that it took, and the time that the server took to start."""
        self.make_due()
        began = time.monotonic()
        server = self.server(f"pass-{run}")
        started = time.monotonic() - began
        took = wait_for_pass(server, len(self.due))
        server.stop()
        return took, started

    def megabytes(self):
        return (self.folder / "store/store.sqlite3").stat().st_size / 1e6


def record(user, now):
    """The record of a sign-in, as the component stores it."""
    token = hashlib.sha256(f"token of {user}".encode()).hexdigest()
    tokens = {
        "access_token": token * 4,
        "refresh_token": token,
        "obtained_at": now * 1000,
        "expires_at": (now + 86_400) * 1000,
        "scope": "profile.compact cart.basic:write",
    }
    grant = {"schema_version": 1, "user_id": user, "known": [], "buried": None, "kind": "sign_in"}
    return json.dumps(grant | {"tokens": tokens, "source": "oauth"})


def wait_for_pass(server, due):
    deadline = time.monotonic() + PASS_SECONDS
    while time.monotonic() < deadline:
        for event in server.events():
            if event["message"] == "periodic refresh finished":
                if (event["due"], event["refreshed"]) != (due, due):
                    sys.exit(f"{due} were due, and the pass says {event}")
                return event["duration_ms"]
        time.sleep(0.05)
    sys.exit(f"no pass in {PASS_SECONDS} s: {server.log_path.read_text(errors='replace')[-2000:]}")


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs=2, default=[10_000, 1_000_000], metavar="USERS")
    parser.add_argument("--due", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


def main():
    chosen = options()
    with tempfile.TemporaryDirectory(prefix="due-scale-") as folder:
        populations = [Population(pathlib.Path(folder), size, chosen.due) for size in chosen.sizes]
        # The sizes take turns, so that other work of the machine affects both alike.
        passes = [[population.measure(run) for population in populations] for run in range(chosen.runs)]
        for population in populations:
            population.sandbox.stop()
        medians, rows = [], []
        for population, results in zip(populations, zip(*passes)):
            took = sorted(took for took, _ in results)
            medians.append(statistics.median(took))
            started = statistics.median(started for _, started in results)
            cells = [f"{population.size:,}", f"{population.megabytes():,.0f} MB", chosen.due]
            rows.append([*cells, f"{medians[-1]:.0f} ms", f"{took[0]} to {took[-1]} ms", f"{started:.1f} s"])
    table(["users", "store", "due", "one pass: median", f"of {chosen.runs} passes", "start"], rows)
    ratio = medians[1] / medians[0]
    print(f"{chosen.sizes[1] / chosen.sizes[0]:.0f} times the users, {ratio:.2f} times the time")
    return 0 if ratio < 2 else 1


if __name__ == "__main__":
    sys.exit(main())
