"""Runs schemathesis against the real server with the sandbox in place of Kroger.

A customer is signed in all the while, however often the calls sign them out, so
that calls are accepted and not only refused. Fails where schemathesis finds
something, and where it made too few calls to say so.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import kroger_mcp  # noqa: E402

USER = "user_default"
FEWEST_CASES = 5_000


def sign_in(sandbox, server):
    link = server.authorization_url(USER)
    redirect = kroger_mcp.call("GET", f"{link}&sandbox_user=alice&sandbox_decision=allow").location
    server.finish_sign_in(redirect)


def keep_signed_in(sandbox, server, over):
    """Until `over`: an agent would have the user sign in anew as well."""
    while not over.wait(0.2):
        if server.tokens().get(USER, {}).get("status") not in ("valid", "expiring_soon"):
            sign_in(sandbox, server)


def schemathesis(url, folder, arguments):
    command = [
        str(pathlib.Path(sys.executable).with_name("schemathesis")),
        "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{url}/openapi.json",
        "--phases", "examples,coverage,fuzzing,stateful",
        "--max-examples", str(arguments.examples),
        "--seed", str(arguments.seed),
        "--workers", "2",
        "--report-json-path", str(folder / "report.json"),
    ]
    # It looks for the hooks' module beside the configuration.
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    return subprocess.run(command, cwd=folder, env=environment).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=300, help="cases of each operation (default: 300)")
    parser.add_argument("--seed", type=int, default=1, help="where the search starts (default: 1)")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sandbox = kroger_mcp.Sandbox(folder)
        server = kroger_mcp.Server(folder, "server", folder / ".tokens", sandbox.environment())
        sign_in(sandbox, server)
        over = threading.Event()
        keeper = threading.Thread(target=keep_signed_in, args=(sandbox, server, over), daemon=True)
        keeper.start()
        status = schemathesis(server.url, folder, arguments)
        over.set()
        keeper.join()
        server.stop()
        sandbox.kill()
    sys.exit(status)


if __name__ == "__main__":
    main()
