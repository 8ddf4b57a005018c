"""charts/steelyard/README.md: what the chart installs, and each of its values as values.yaml comments it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import helm_binary

VALUES = helm_binary.CHART / "values.yaml"
README = helm_binary.CHART / "README.md"

_KEY = re.compile(r"( *)(\w+):(?: (.*))?")
_HEAD = """\
# Chart of Steelyard

```sh
helm install steelyard charts/steelyard --namespace steelyard --create-namespace
```

installs the definitions of the three kinds, two operators of which one is active, and two gateways behind a
Service. The rest is options. [Kubernetes](../../docs/kubernetes.md) tells what runs, and
[installing](../../docs/install.md) how it is upgraded and removed.

This page is written by `make manifests` from the comments of [values.yaml](values.yaml).

| value | default | |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the chart."""

    path: tuple[str, ...]
    """Its keys from the outermost."""
    default: str
    """As values.yaml writes it."""
    comment: str
    """What it is for."""


def values() -> Iterator[Value]:
    """All that have no values within."""
    above: list[str] = []
    comments: list[str] = []
    for line in VALUES.read_text().splitlines():
        if (key := _KEY.fullmatch(line)) is not None:
            indent, name, default = key.groups()
            above[len(indent) // 2 :] = [name]
            if default is not None:
                yield Value(tuple(above), default, " ".join(comments))
        comments = [*comments, line.strip(" #")] if line.strip().startswith("#") else []


def rendered() -> str:
    """The page as it should be."""
    rows = (f"| `{'.'.join(one.path)}` | `{one.default}` | {one.comment} |\n" for one in values())
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    README.write_text(rendered())
