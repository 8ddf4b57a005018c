"""Open WebUI, the real one, in front of the gateway: what docs/openwebui.md says, in a browser."""

import json
from collections.abc import Iterator

import httpx
import pytest

from e2e import browser, images, ingress, installation, pods
from e2e.clusters import REPOSITORY, Cluster
from e2e.installation import NAMESPACE

pytestmark = [pytest.mark.slow, pytest.mark.full]

NAME = "open-webui"
SCREENSHOT = REPOSITORY / "docs" / "openwebui.png"
PERSON = {"name": "Ada", "email": "ada@example.com", "password": "An-engine-of-1843"}
QUESTION = "What is 7 plus 5?"
ANSWER = "document.querySelector('#response-content-container')?.innerText"


@pytest.fixture(scope="module")
def address(steelyard: Cluster) -> Iterator[str]:
    """Where Open WebUI is; it asks the gateway through its Ingress."""
    ingress.start(steelyard)
    images.build_open_webui(steelyard)
    container = {
        "image": images.OPEN_WEBUI,
        "env": [
            {"name": "OPENAI_API_BASE_URL", "value": f"{ingress.URL}/v1"},
            {"name": "OPENAI_API_KEY", "value": "none"},
            {"name": "WEBUI_SECRET_KEY", "value": "of the tests"},
            # As docs/openwebui.md has it for models that lack tools, as this one does.
            {"name": "DEFAULT_MODEL_PARAMS", "value": '{"function_calling": "legacy"}'},
        ],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    deployment, service = pods.served(NAME, container)
    deployment["spec"]["template"]["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    steelyard.apply(deployment, service, namespace=NAMESPACE)
    pods.wait_until_available(steelyard, NAMESPACE, NAME)
    with steelyard.forwarded(NAMESPACE, f"service/{NAME}", pods.MODEL_PORT) as url:
        yield url
    steelyard.kubectl("-n", NAMESPACE, "delete", "deployment,service", NAME)
    ingress.stop(steelyard)


def test_a_person_signs_up_finds_the_models_and_chats_with_auto(steelyard: Cluster, address: str) -> None:
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as person:
        signed_up = person.post("/api/v1/auths/signup", json=PERSON).raise_for_status().json()
        bearer = {"authorization": f"Bearer {signed_up['token']}"}
        listed = person.get("/api/models", headers=bearer).raise_for_status().json()["data"]

    with browser.page() as page:
        page.go(f"{address}/auth")
        page.evaluate(f"localStorage.setItem('token', '{signed_up['token']}')")
        page.go(f"{address}/?models=auto&q={QUESTION.replace(' ', '+')}")
        page.wait_for(f"document.querySelector('#chat-input')?.innerText.includes('{QUESTION}')")
        page.click("Okay, Let's Go!")
        page.wait_for("document.querySelector('#send-message-button') !== null")
        page.evaluate("document.querySelector('#send-message-button').click()")
        first = page.wait_for(ANSWER)
        page.wait_for("document.body.innerText.includes('Response complete')")
        whole = page.evaluate(ANSWER)
        page.screenshot(SCREENSHOT)

    assert {one["id"] for one in listed} >= {"auto", pods.MODEL}
    assert whole.startswith(first.strip()) and len(whole) > len(first)  # it came in a stream
    assert "auto" in _asked(steelyard)


def _asked(cluster: Cluster) -> set[str]:
    """The models that the gateways were asked for."""
    words = ("-n", NAMESPACE, "logs", "-l", installation.GATEWAY_PODS, "--tail=-1")
    told = map(json.loads, cluster.kubectl(*words).splitlines())
    return {line["model"] for line in told if "model" in line}
