"""Which cluster the tests take; these need none."""

import pytest

from e2e import clusters
from e2e.clusters import LOAD_IMAGE, ClusterError, NoClusterError


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"KUBECONFIG": "/one"}, f"{LOAD_IMAGE} is not"),
        ({"KUBECONFIG": "/one", LOAD_IMAGE: " "}, f"{LOAD_IMAGE} is not"),
        ({"KUBECONFIG": "/one:/two", LOAD_IMAGE: "true"}, "several files"),
    ],
    ids=["no way to load images", "an empty one", "two files"],
)
def test_a_cluster_that_is_named_and_cannot_be_taken_is_an_error_and_no_other_one_is_taken(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], told: str
) -> None:
    monkeypatch.delenv(LOAD_IMAGE, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ClusterError, match=told) as refused, clusters.running():
        pass

    assert not isinstance(refused.value, NoClusterError)
