# The commands of a developer's day; each is plain cargo underneath.

# List the recipes.
default:
    @just --list

# Run the server with the sandbox in place of Kroger.
sandbox:
    cargo run --release -- serve --sandbox

# Everything that decides whether a change may land.
ci:
    .ci/run

# All tests.
test:
    cargo test

# Write component/openapi.json from what the code says.
openapi:
    OPENAPI=write cargo test -p kroger-connector --lib openapi

# Write docs/keys.md from what the code says.
keys:
    KEYS=write cargo test -p kroger-core --lib keys_page

# Search for a schedule, crash or fault that loses a sign-in.
simulate SEEDS="100000":
    cargo run --release -p kroger-core --example simulate -- {{SEEDS}}

# Break the protocol on purpose, and show that the simulation notices.
mutants *WHICH:
    cargo run --release -p kroger-core --example mutants -- {{WHICH}}

# A retrying agent adds while answers get lost and the server is killed; each of Kroger's errors on each route.
adds ADDS="1000":
    KROGER_ADDS={{ADDS}} cargo test --test e2e -- --nocapture --test-threads 1 adds:: faults::

# Two calls with one idempotency key, in every schedule of so many happenings.
ledger HAPPENINGS="2":
    KROGER_LEDGER={{HAPPENINGS}} cargo test --release -p kroger-core --test ledger -- --nocapture

# A token endpoint that answers everything but what it should: each answer and its outcome.
hostile:
    cargo test --test e2e hostile_upstream -- --nocapture

# Kill the server at each system call of a refresh, fill its disk, corrupt its
# store (needs strace).
crashes:
    KROGER_CRASHES=full cargo test --test e2e crashes -- --nocapture

# Eight servers on one store against django-oauth-toolkit (needs Python).
oauth-server SECONDS="300":
    cargo build --release
    tests/oauth_server/run --seconds {{SECONDS}}

# 5,000 calls and more that try to prove /openapi.json wrong (needs Python).
schemathesis EXAMPLES="700":
    cargo build --release
    tests/schemathesis/run --examples {{EXAMPLES}}

# The promised figures, measured under injected faults (needs Python).
soak MINUTES="3":
    cargo build --release
    tests/soak/run --minutes {{MINUTES}}

# Stop the server in mid-refresh for 40 s, set its clock (needs libfaketime), and
# interrupt a refresh that lasts.
time:
    KROGER_TIME=full cargo test --test e2e -- --nocapture clocks ending

# A pass of the timer among ten thousand users and among a million, with the same
# number due (needs Python, and 2 GB of disk).
due-scale:
    cargo build --release
    tests/soak/due-scale

# Start-up time, idle memory, and calls per second at 1, 8 and 64 clients.
bench:
    cargo bench -p kroger-mcp --bench service

# Side by side with kroger-mcp 0.4 of PyPI (needs Python).
bench-rival:
    python3 -m venv target/rival
    target/rival/bin/pip install --quiet kroger-mcp==0.4.0
    KROGER_RIVAL_PYTHON="{{justfile_directory()}}/target/rival/bin/python" cargo bench -p kroger-mcp --bench rival

# Licences, advisories and duplicates of the dependencies (needs cargo-deny).
deny:
    cargo deny check

# The MCP conformance suite (needs Node 22, or Python to fetch it).
conformance:
    CONFORMANCE=required tests/conformance/run

# A shopping trip by Python's `mcp`, over HTTP and stdio (needs Python).
mcp-client:
    tests/mcp_client/run

# Each tool, listed and called by the MCP inspector (needs Node 22, or Python to fetch it).
mcp-inspector:
    tests/mcp_client/inspect
