"""Several operators and one Lease: one of them works, the others wait and answer."""

import signal

from fakes.profiled_engine import ProfiledEngine
from kube import programs, reports, waiting
from kube.control_plane import ControlPlane
from kube.fake_kubelet import FakeKubelet
from kube.programs import Operator, Programs
from kube.spaces import Space
from steelyard.api import profile as profiles
from steelyard.kube import kinds
from steelyard.kube.kinds import Kind

ONE = profiles.automatic_name("one", "m")
LEASE = "steelyard-operator"
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")


def test_a_stopped_leader_that_goes_on_writes_nothing_and_ends(
    space: Space, run: Programs, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    with run.operator(identity="first") as first:
        first.wait_until_active()
        kubelet.hold()
        space.backend("one", engine.url)
        waiting.until(lambda: kubelet.started, "a pod that runs")
        with run.operator(identity="second") as second:
            waiting.until(lambda: _holder(space) == "first", "the first one's lease")
            first.signal(signal.SIGSTOP)
            kubelet.release()
            second.wait_until_active()
            space.measured(ONE)
            space.backend("one", engine.url, maxConcurrency=3)  # the first one is to hear of work
            waiting.until(lambda: _observed(space) == 2, "the second one's status")
            before = space.versions()

            first.signal(signal.SIGCONT)

            assert first.wait() == 1
            assert space.versions() == before
            assert len(space.all(kinds.JOB)) == 1
            assert _holder(space) == "second"


def test_a_leader_that_is_told_to_stop_leaves_the_lease_to_the_next_one(
    space: Space, run: Programs, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.instead = reports.outcome()
    with run.operator(identity="first") as first, run.operator(identity="second") as second:
        operators = {"first": first, "second": second}
        holder = waiting.until(lambda: _holder(space), "a leader")
        leader = operators.pop(holder).wait_until_active()
        [standby] = operators.values()
        answered = [(one.get("/healthz").status_code, _is_active(one)) for one in (leader, standby)]

        status = leader.stop()
        free = _holder(space)
        standby.wait_until_active()
        space.backend("one", engine.url)
        space.measured(ONE)

        assert answered == [(200, True), (200, False)]
        assert (status, free) == (0, "")
        assert _is_active(standby)


def test_a_leader_that_cannot_renew_ends_by_itself(
    control_plane: ControlPlane, space: Space, run: Programs, engine: ProfiledEngine
) -> None:
    with run.operator() as first:
        first.wait_until_active()
        space.backend("one", engine.url)
        space.wait_for(kinds.LLM_BACKEND, "one", "Ready", "Ready")

        space.delete(ROLE_BINDING, "steelyard-operator-lease")

        assert first.wait() == 1
        assert "The operator stops: the lease" in first.log.read_text()
    programs.grant(control_plane, space.namespace)
    with run.operator() as successor:
        successor.wait_until_active()


def _holder(space: Space) -> str:
    lease = space.find(kinds.LEASE, LEASE)
    return lease["spec"].get("holderIdentity", "") if lease else ""


def _is_active(operator: Operator) -> bool:
    return operator.metric("steelyard_operator_active") == 1


def _observed(space: Space) -> int:
    generation: int = space.find(kinds.LLM_BACKEND, "one")["status"]["observedGeneration"]
    return generation
