# A developer's commands. Each runs plain cargo.

# List the recipes.
default:
    @just --list

# Run the server with the sandbox in place of Kroger.
sandbox:
    cargo run --release -- serve --sandbox

# Run every check that decides whether a change may land.
ci:
    .ci/run

# Run all tests.
test:
    cargo test

# Write component/openapi.json from the code.
openapi:
    OPENAPI=write cargo test -p kroger-connector --lib openapi

# Write docs/keys.md from the code.
keys:
    KEYS=write cargo test -p kroger-core --lib keys_page

# Write docs/product-numbers.md from the code.
numbers:
    NUMBERS=write cargo test -p kroger-core --lib numbers_page

# Read generated product numbers with the GS1 library biip too (needs Python).
gs1 NUMBERS="2000":
    tests/gs1/run --numbers {{NUMBERS}}

# Search for a schedule, crash or fault that loses a sign-in.
simulate SEEDS="100000":
    cargo run --release -p kroger-core --example simulate -- {{SEEDS}}

# Break the protocol on purpose, and show that the simulation notices.
mutants *WHICH:
    cargo run --release -p kroger-core --example mutants -- {{WHICH}}

# Let an agent add while answers get lost and the server is killed, and try each of Kroger's errors on each route.
adds ADDS="1000":
    KROGER_ADDS={{ADDS}} cargo test --test e2e -- --nocapture --test-threads 1 adds:: faults::

# Run two calls with one idempotency key in every schedule with at most this many interruptions.
ledger INTERRUPTIONS="2":
    KROGER_LEDGER={{INTERRUPTIONS}} cargo test --release -p kroger-core --test ledger -- --nocapture

# Try each wrong answer of a token endpoint, and print its outcome.
hostile:
    cargo test --test e2e hostile_upstream -- --nocapture

# Attack the server as strangers do, and print each attack, how many were tried, and what happened.
attack:
    tests/attack

# Kill the server at each system call of a refresh, fill its disk and damage its
# store (needs strace).
crashes:
    KROGER_CRASHES=full cargo test --test e2e crashes -- --nocapture

# Run eight servers on one store against django-oauth-toolkit (needs Python).
oauth-server SECONDS="300":
    cargo build --release
    tests/oauth_server/run --seconds {{SECONDS}}

# Try to prove /openapi.json wrong with at least 5,000 calls (needs Python).
schemathesis EXAMPLES="700":
    cargo build --release
    tests/schemathesis/run --examples {{EXAMPLES}}

# Measure the promised figures under injected faults (needs Python).
soak MINUTES="3":
    cargo build --release
    tests/soak/run --minutes {{MINUTES}}

# Stop the server for 40 s during a refresh, set its clock (needs libfaketime), and
# interrupt a slow refresh.
time:
    KROGER_TIME=full cargo test --test e2e -- --nocapture clocks ending

# Measure a pass of the timer among ten thousand users and among a million, with the
# same number of due users (needs Python, and 2 GB of disk).
due-scale:
    cargo build --release
    tests/soak/due-scale

# Measure start-up time, idle memory, and calls per second with 1, 8 and 64 clients.
bench:
    cargo bench -p kroger-mcp --bench service

# Compare with kroger-mcp 0.4 from PyPI (needs Python).
bench-rival:
    python3 -m venv target/rival
    target/rival/bin/pip install --quiet kroger-mcp==0.4.0
    KROGER_RIVAL_PYTHON="{{justfile_directory()}}/target/rival/bin/python" cargo bench -p kroger-mcp --bench rival

# Check the dependencies' licences, advisories and duplicates (needs cargo-deny).
deny:
    cargo deny check

# Run the MCP conformance suite (needs Node 22, or Python to fetch it).
conformance:
    CONFORMANCE=required tests/conformance/run

# Make a shopping trip with Python's `mcp`, over HTTP and stdio (needs Python).
mcp-client:
    tests/mcp_client/run

# List and call each tool with the MCP inspector (needs Node 22, or Python to fetch it).
mcp-inspector:
    tests/mcp_client/inspect
