"""Runs schemathesis against the real server with the sandbox in place of Kroger.

Signs a customer in again whenever a call signs them out, so that calls are also
accepted and not only refused. Fails if schemathesis finds a fault, and if it
made too few calls to prove anything.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import jsonschema_rs  # noqa: E402  A part of schemathesis.
import kroger_mcp  # noqa: E402

USER = "user_default"


def sign_in(server):
    link = server.authorization_url(USER)
    redirect = kroger_mcp.call("GET", f"{link}&sandbox_user=alice&sandbox_decision=allow").location
    server.finish_sign_in(redirect)


def keep_signed_in(server, over):
    """Signs the user in again, as an agent does, until `over`."""
    while not over.wait(0.2):
        if server.tokens().get(USER, {}).get("status") not in ("valid", "expiring_soon"):
            sign_in(server)


def resolved(document, value):
    while "$ref" in value:
        found = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def contents(document):
    """Each body that the document describes, and its place."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
            for name, body in bodies.items():
                for content in body.get("content", {}).values():
                    yield f"{method} {path} {name}", content


def false_examples(document):
    """The examples that their own schema rejects."""
    for where, content in contents(document):
        schema = {**content["schema"], "components": document["components"]}
        examples = [resolved(document, example)["value"] for example in content.get("examples", {}).values()]
        examples += [content["example"]] if "example" in content else []
        for example in examples:
            for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(example):
                yield f"{where}: {error.message}"


def schemathesis(url, folder, arguments):
    """Runs schemathesis. Returns its exit code and the number of its calls."""
    command = [
        str(pathlib.Path(sys.executable).with_name("schemathesis")),
        "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{url}/openapi.json",
        "--phases", "examples,coverage,fuzzing,stateful",
        "--max-examples", str(arguments.examples),
        "--seed", str(arguments.seed),
        "--workers", "2",
    ]
    # Lets it find the module of the hooks.
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    cases = 0
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            print(line, end="", flush=True)
            found = re.search(r"([\d,]+) generated", line)
            cases = int(found.group(1).replace(",", "")) if found else cases
    return child.returncode, cases


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=700, help="cases for each operation (default: 700)")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the search (default: 1)")
    parser.add_argument("--at-least", type=int, default=5_000, help="the fewest calls in total (default: 5000)")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sandbox = kroger_mcp.Sandbox(folder)
        server = kroger_mcp.Server(folder, "server", folder / ".tokens", sandbox.environment())
        sign_in(server)
        over = threading.Event()
        keeper = threading.Thread(target=keep_signed_in, args=(server, over), daemon=True)
        keeper.start()
        wrong = list(false_examples(server.call("GET", "/openapi.json").json()))
        status, cases = schemathesis(server.url, folder, arguments)
        over.set()
        keeper.join()
        server.stop()
        sandbox.kill()
    for example in wrong:
        print(f"an example contradicts its schema: {example}")
    if cases < arguments.at_least:
        print(f"{cases} calls are too few to prove anything; {arguments.at_least} are needed")
    sys.exit(status or int(bool(wrong) or cases < arguments.at_least))


if __name__ == "__main__":
    main()
