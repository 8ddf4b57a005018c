"""What Helm prints after an installation: the next commands, of what was installed."""

import subprocess

import pytest

import helm_binary
from fakes.charts import Render

TELL, WATCH, ASK = "kubectl apply ", "kubectl get llmbackends,modelprofiles ", "/v1/chat/completions"
OUTSIDE, ROUTE, AGENT = "From outside", "kubectl get httproute steelyard-gateway ", "home/steelyard-agent"
NOBODY = "This release has no operator"
EVERY = {TELL, WATCH, ASK, OUTSIDE, ROUTE, AGENT, NOBODY}


def notes(*values: str) -> str:
    """What is printed with these values set."""
    words = ["install", "steelyard", str(helm_binary.CHART), "--namespace=home", "--dry-run=client"]
    command = [str(helm_binary.find(print)), *words, *(f"--set={one}" for one in values)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return ran.stdout.partition("NOTES:\n")[2]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], {TELL, WATCH, ASK}),
        (["agent.enabled=true"], {TELL, WATCH, ASK}),
        (["operator.enabled=false"], {TELL, NOBODY, ASK}),
        (["gateway.enabled=false"], {TELL, WATCH}),
        (["operator.enabled=false,gateway.enabled=false,agent.enabled=true"], {NOBODY, AGENT}),
        (["gateway.ingress.enabled=true"], {TELL, WATCH, ASK, OUTSIDE}),
        (
            ["gateway.httpRoute.enabled=true", "gateway.httpRoute.parentRefs[0].name=public"],
            {TELL, WATCH, ASK, ROUTE},
        ),
    ],
)
def test_the_next_commands_are_of_what_was_installed(
    render: Render, values: list[str], said: set[str]
) -> None:
    printed = notes(*values)

    assert {one for one in EVERY if one in printed} == said


def test_addresses_are_named_where_they_are_known(render: Render) -> None:
    route = "gateway.httpRoute.enabled=true,gateway.httpRoute.hostnames={b.example}"
    printed = notes(
        "gateway.ingress.enabled=true,gateway.ingress.hosts={a.example}",
        "gateway.ingress.tls[0].secretName=tls",
        route,
        "gateway.httpRoute.parentRefs[0].name=public",
    )

    assert "\n  https://a.example/v1\n" in printed
    assert "finds it at b.example, with /v1" in printed
