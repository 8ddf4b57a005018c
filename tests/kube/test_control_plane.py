"""The control plane of the tests is a real one: its API server, its rights, its restart."""

import json

from kube.control_plane import ControlPlane

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}}


def test_what_is_applied_outlives_a_killed_api_server(control_plane: ControlPlane, namespace: str) -> None:
    applied = control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(CONFIG_MAP))
    address = control_plane.url

    control_plane.stop_api_server()
    refused = control_plane.kubectl("get", "namespaces")
    control_plane.start_api_server()

    assert (applied.returncode, applied.stdout) == (0, "configmap/kept created\n")
    assert (refused.returncode, "refused" in refused.stderr) == (1, True)
    assert control_plane.url == address
    assert control_plane.admin.get(f"/api/v1/namespaces/{namespace}/configmaps/kept").status_code == 200


def test_a_service_account_may_do_what_its_role_says_and_no_more(
    control_plane: ControlPlane, namespace: str
) -> None:
    kubeconfig = str(control_plane.service_account_kubeconfig(namespace, "default"))
    control_plane.kubectl("create", "role", "reader", "-n", namespace, "--verb=get,list", "--resource=pods")
    control_plane.kubectl(
        "create",
        "rolebinding",
        "reader",
        "-n",
        namespace,
        "--role=reader",
        f"--serviceaccount={namespace}:default",
    )

    pods = control_plane.kubectl("--kubeconfig", kubeconfig, "get", "pods")
    secrets = control_plane.kubectl("--kubeconfig", kubeconfig, "get", "secrets")

    assert (pods.returncode, pods.stderr) == (0, f"No resources found in {namespace} namespace.\n")
    assert f'User "system:serviceaccount:{namespace}:default" cannot list' in secrets.stderr


def test_a_watch_that_goes_on_where_it_was_is_told_410(control_plane: ControlPlane, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    version = control_plane.admin.get(path).json()["metadata"]["resourceVersion"]
    watch = {"watch": "1", "timeoutSeconds": "1", "resourceVersion": version}
    went_on = control_plane.admin.get(path, params=watch)

    control_plane.expire_watches()
    expired = control_plane.admin.get(path, params=watch)

    assert went_on.text == ""
    assert expired.json()["object"]["code"] == 410


def test_the_three_kinds_are_known(control_plane: ControlPlane) -> None:
    listed = control_plane.kubectl("get", "llmb,mprof,rpol", "-A")

    assert (listed.returncode, listed.stderr) == (0, "No resources found\n")
