"""Runs eight servers on one store against django-oauth-toolkit, with tokens that
live five seconds, and counts the sign-ins that are lost.

The toolkit can treat a used refresh token in several ways, and each way has its
own run. Exit code 1: something was lost, doubled or misreported."""

import argparse
import collections
import itertools
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

import requests

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import kroger_mcp  # noqa: E402
import server as oauth  # noqa: E402

SERVERS = 8
CALLERS = 16
# A caller's pause between two calls. Without it, two cores cannot keep time.
BREATH_SECONDS = 0.02
FORCED_EVERY_SECONDS = 3
TOOLKITS_PATHS = {"KROGER_AUTHORIZE_PATH": "/o/authorize/", "KROGER_TOKEN_PATH": "/o/token/"}


class OAuthServer:
    """A process that runs server.py."""

    def __init__(self, folder, behaviour):
        log = (folder / "oauth.log").open("wb")
        self.child = subprocess.Popen(
            [sys.executable, str(HERE / "server.py"), str(folder), behaviour], stdout=subprocess.PIPE, stderr=log
        )
        port = self.child.stdout.readline().decode().strip()
        if not port:
            sys.exit("the authorization server did not start: " + (folder / "oauth.log").read_text())
        self.url = f"http://127.0.0.1:{port}"

    def environment(self):
        return {
            "KROGER_CLIENT_ID": oauth.CLIENT_ID,
            "KROGER_CLIENT_SECRET": oauth.CLIENT_SECRET,
            "KROGER_API_BASE_URL": self.url,
            "KROGER_TOKEN_CHECK_INTERVAL": "1",
            # The toolkit has no quota. Kroger's daily quota would be used up in seconds.
            "KROGER_QUOTA_CART": "1000000000",
        }

    def agree(self, link):
        """Logs the customer in as a browser does, and returns the redirect."""
        with requests.Session() as browser:
            to_login = browser.get(link, allow_redirects=False).headers["location"]
            customer = {"username": oauth.USER, "password": oauth.PASSWORD}
            back = browser.post(self.url + to_login, data=customer, allow_redirects=False).headers["location"]
            return browser.get(self.url + back, allow_redirects=False).headers["location"]

    def counts(self):
        return kroger_mcp.call("GET", self.url + "/_counts").json()

    def stop(self):
        self.child.terminate()
        self.child.wait()


class Run:
    """One behaviour of the toolkit, from sign-in to verdict."""

    def __init__(self, folder, behaviour, options):
        self.folder, self.options, self.behaviour = folder, options, behaviour
        self.oauth = OAuthServer(folder, behaviour)
        self.environment = self.oauth.environment() | (TOOLKITS_PATHS if options.paths else {})
        # They start one after the other, because the first one compiles for all.
        self.servers = [self.server(number) for number in range(SERVERS)]
        self.upcs = itertools.count(1)
        self.answers = {}
        self.seconds = []
        self.codes = collections.Counter()
        self.forced = collections.Counter()
        self.kills = 0
        self.signing_in = threading.Lock()
        self.signed_in_at = 0.0
        self.sign_ins_again = []
        self.stop_at = 0.0

    def server(self, number):
        return kroger_mcp.Server(self.folder, f"server-{number}", self.folder / "store", self.environment)

    def sign_in(self):
        """Starts a sign-in at one server and completes it at another. They share the store."""
        redirect = self.oauth.agree(self.servers[0].authorization_url("user_default"))
        answer = self.servers[1].finish_sign_in(redirect)
        if answer.status != 200:
            sys.exit(f"the sign-in failed: {answer.body.decode()}")
        self.signed_in_at = time.monotonic()

    def sign_in_again(self, answer, called_at):
        """Signs in again, once for all calls that fail because of one lost sign-in."""
        with self.signing_in:
            if called_at < self.signed_in_at:
                return
            self.sign_ins_again.append(answer.json().get("detail", "").splitlines()[0])
            self.sign_in()

    def is_on(self):
        return time.monotonic() < self.stop_at

    def keep_calling(self, caller):
        turn = caller
        while self.is_on():
            upc = kroger_mcp.upc(next(self.upcs))
            called_at = time.monotonic()
            answer = self.servers[turn % SERVERS].add(upc)
            self.seconds.append(time.monotonic() - called_at)
            self.answers[upc] = answer.code()
            self.codes[answer.code()] += 1
            if answer.code() == "reauthorize":
                self.sign_in_again(answer, called_at)
            turn += 1
            time.sleep(BREATH_SECONDS)

    def keep_forcing(self):
        """Tells two servers to refresh at the same time, again and again."""
        while self.is_on():
            pair = random.sample(self.servers, 2)
            kroger_mcp.in_threads(2, lambda number: self.count_forced(pair[number].refresh("user_default")))
            time.sleep(random.uniform(0.5, 1.5) * FORCED_EVERY_SECONDS)

    def count_forced(self, answer):
        self.forced[answer.code()] += 1

    def keep_killing(self):
        while self.options.kill_every:
            time.sleep(random.uniform(0.5, 1.5) * self.options.kill_every)
            if not self.is_on():
                return
            number = random.randrange(SERVERS)
            self.servers[number].kill()
            self.servers[number] = self.server(number)
            self.kills += 1

    def drive(self):
        self.sign_in()
        self.stop_at = time.monotonic() + self.options.seconds
        work = [lambda _: self.keep_forcing(), lambda _: self.keep_killing()]
        kroger_mcp.in_threads(
            CALLERS + len(work), lambda number: work[number](number) if number < len(work) else self.keep_calling(number)
        )
        # After a pause longer than a token's life, every server still adds.
        time.sleep(oauth.ACCESS_TOKEN_SECONDS + 1)
        self.stop_at = time.monotonic()
        for server in self.servers:
            called_at = time.monotonic()
            upc = kroger_mcp.upc(next(self.upcs))
            answer = server.add(upc)
            self.answers[upc] = answer.code()
            self.codes[answer.code()] += 1
            if answer.code() == "reauthorize":
                self.sign_in_again(answer, called_at)

    def stop(self):
        for server in self.servers:
            server.stop()
        self.oauth.stop()

    def misreported(self, added):
        """The number of adds that were reported to the caller wrongly."""
        wrong = 0
        for upc, code in self.answers.items():
            times = added.get(upc, 0)
            may_be = {"200": {1}, "outcome_unknown": {0, 1}, "0": {0, 1}}.get(code, {0})
            wrong += times not in may_be
        return wrong

    def verdict(self):
        """The table's row, and a line for each broken promise."""
        counts = self.oauth.counts()
        refreshes = counts["refreshes"]
        refused = sum(times for status, times in refreshes.items() if status.startswith("4"))
        failed = sum(times for status, times in refreshes.items() if status.startswith("5"))
        misreported = self.misreported(counts["added"])
        others = self.codes - collections.Counter({"200": self.codes["200"]})
        self.seconds.sort()
        at = lambda share: f"{self.seconds[int(share * (len(self.seconds) - 1))] * 1000:.0f}"
        row = [
            self.behaviour,
            sum(self.codes.values()),
            self.codes["200"],
            ", ".join(f"{code}: {times}" for code, times in others.items()) or "none",
            f"{at(0.5)}/{at(0.99)}/{at(1)}",
            refreshes.get("200", 0),
            refused,
            failed,
            counts["presented_again"],
            counts["cart"].get("401", 0),
            self.kills,
            misreported,
            len(self.sign_ins_again),
        ]
        wrong = []
        if misreported:
            wrong.append(f"{misreported} adds were misreported")
        if not self.options.kill_every:
            wrong += self.wrong_without_kills(refused, counts["presented_again"], others)
        elif dishonest := [told for told in self.sign_ins_again if "probably spent" not in told]:
            wrong.append(f"sign-ins lost outside the window of a kill: {dishonest}")
        return row, wrong

    def wrong_without_kills(self, refused, presented_again, others):
        wrong = [f"sign in again: {told}" for told in self.sign_ins_again]
        if refused or presented_again:
            wrong.append(f"{presented_again} refresh tokens were sent again, {refused} refused")
        if others or self.forced - collections.Counter({"200": self.forced["200"]}):
            wrong.append(f"calls failed: {dict(others)}, forced refreshes: {dict(self.forced)}")
        return wrong


HEAD = [
    "a used token is", "calls", "added", "other answers", "ms p50/p99/max", "refreshes granted", "refused", "5xx",
    "sent again", "bearer refused", "kills", "misreported", "sign in again",
]  # fmt: skip


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="the time of calls for each behaviour")
    parser.add_argument("--kill-every", type=float, default=0, metavar="SECONDS", help="kill one of the servers about this often")
    parser.add_argument("--paths", action="store_true", help="use the toolkit's own paths, by KROGER_AUTHORIZE_PATH and KROGER_TOKEN_PATH")
    parser.add_argument("--behaviour", choices=list(oauth.BEHAVIOURS), action="append", help="run only this behaviour")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="keep the logs and stores in this folder")
    return parser.parse_args()


def main():
    chosen, rows, wrong = options(), [], []
    with tempfile.TemporaryDirectory(prefix="oauth-server-") as temporary:
        for behaviour in chosen.behaviour or oauth.BEHAVIOURS:
            folder = (chosen.keep or pathlib.Path(temporary)) / behaviour
            folder.mkdir(parents=True)
            print(f"{behaviour}: {SERVERS} servers, {CALLERS} callers, {chosen.seconds:g} s of calls …", file=sys.stderr)
            run = Run(folder, behaviour, chosen)
            try:
                run.drive()
                row, found = run.verdict()
            finally:
                run.stop()
            rows.append(row)
            wrong += [f"{behaviour}: {each}" for each in found]
    kroger_mcp.table(HEAD, rows)
    for each in wrong:
        print(f"WRONG  {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
