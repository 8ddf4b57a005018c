"""`steelyard explain`: the decision for a request by a folder of resources, with nothing under way."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from steelyard import settings
from steelyard.files import reading
from steelyard.files.problems import FilesError
from steelyard.routing import classifying, compiling, deciding, explaining
from steelyard.routing.decision import NoLoad
from steelyard.routing.undecidable import Undecidable
from steelyard_gateway import errors, parsing


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the folder, the request and how to read it."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="the folder of resources")
    parser.add_argument("request", metavar="REQUEST.json", type=Path, help="the body of the request")
    parser.add_argument(
        "--path", default="/v1/chat/completions", choices=sorted(parsing.NEEDS), help="its path"
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="a request header; may be repeated",
    )
    settings.add_namespace(parser, environment)


def main(arguments: argparse.Namespace) -> int:
    """Print the explanation as JSON; 1 when there is no decision."""
    headers = []
    for line in arguments.header:
        name, colon, value = line.partition(":")
        if not colon:
            sys.stderr.write(f"--header {line!r} has no colon: write NAME:VALUE\n")
            return 2
        headers.append((name.strip().lower().encode(), value.strip().encode()))
    try:
        loaded = reading.load(arguments.directory)
        body = arguments.request.read_bytes()
        request = parsing.parse(arguments.path, headers, body).request
        table, _ = compiling.compile_table(loaded.resources, arguments.namespace)
        decision = deciding.decide(request, table, NoLoad(), 0, classifying.classify)
    except (FilesError, errors.RequestError, Undecidable) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{arguments.request}: {error.strerror}\n")
        return 1
    sys.stdout.write(json.dumps(explaining.explain(decision), indent=2, ensure_ascii=False) + "\n")
    return 0
