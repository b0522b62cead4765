"""Reads from the servers' logs how each token's lifetime ended. Independent of the
product's own counters."""

import collections
import datetime


class Lifetimes:
    """All refresh tries of all users, from the logs of all servers."""

    def __init__(self, servers, lifetime_seconds):
        self.lifetime_seconds = lifetime_seconds
        events = [event for server in servers for event in server.events()]
        events.sort(key=lambda event: event["timestamp"])
        self.tries = collections.defaultdict(list)
        for event in events:
            if event["message"] in ("signed_in", "refresh"):
                outcome = event.get("outcome", "signed_in")
                self.tries[event["user"]].append((seconds(event["timestamp"]), outcome))
        self.passes = [event["duration_ms"] / 1000 for event in events if event["message"] == "periodic refresh finished"]

    def ended(self, until):
        """For each lifetime that ended before `until`, whether a fresh token came in time."""
        kept = []
        for tries in self.tries.values():
            fresh = [at for at, outcome in tries if outcome in ("signed_in", "refreshed")]
            kept += [after <= before + self.lifetime_seconds for before, after in zip(fresh, fresh[1:])]
            if fresh and fresh[-1] + self.lifetime_seconds < until:
                kept.append(False)
        return kept

    def pending(self):
        """The number of users whose last try failed."""
        return sum(tries[-1][1] not in ("signed_in", "refreshed") for tries in self.tries.values())

    def recovered(self):
        """How many refreshes succeeded after their first try failed, and how many there were."""
        failed = sum(length > 0 for length in self.failures())
        return failed, failed + self.pending()

    def failures(self):
        """How many tries failed before each refresh."""
        for tries in self.tries.values():
            length = 0
            for _, outcome in tries:
                if outcome == "refreshed":
                    yield length
                length = 0 if outcome in ("signed_in", "refreshed") else length + 1

    def left(self):
        """The seconds that each token had left when the next one came."""
        for tries in self.tries.values():
            fresh = [at for at, outcome in tries if outcome in ("signed_in", "refreshed")]
            yield from (before + self.lifetime_seconds - after for before, after in zip(fresh, fresh[1:]))

    def details(self):
        lengths = collections.Counter(self.failures())
        yield "failed tries before a refresh: " + ", ".join(f"{length}: {lengths[length]}" for length in sorted(lengths))
        outcomes = collections.Counter(outcome for tries in self.tries.values() for _, outcome in tries)
        yield "tries: " + ", ".join(f"{outcome}: {times}" for outcome, times in outcomes.most_common())
        left = sorted(self.left())
        if left:
            at = lambda share: f"{left[int(share * (len(left) - 1))]:.0f}"
            yield f"life left when the next token came, in s: least {at(0)}, 1 % {at(0.01)}, half {at(0.5)}, most {at(1)}"
        passes = sorted(self.passes)
        if passes:
            yield f"a pass of the timer took, in s: half {passes[len(passes) // 2]:.1f}, most {passes[-1]:.1f}, of {len(passes)}"


def seconds(timestamp):
    return datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()
