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

# Search for a schedule, crash or fault that loses a sign-in.
simulate SEEDS="100000":
    cargo run --release -p kroger-connector --example simulate -- {{SEEDS}}

# Break the protocol on purpose, and show that the simulation notices.
mutants:
    cargo run --release -p kroger-connector --example mutants

# Start-up time, idle memory, and calls per second at 1, 8 and 64 clients.
bench:
    cargo bench -p kroger-mcp --bench service

# Licences, advisories and duplicates of the dependencies (needs cargo-deny).
deny:
    cargo deny check
