from podtune.testing.executor import ContainerSpec, Mount, NoPods, PodExecutor, Usage
from podtune.testing.http import Request


def test_no_pods_run_for_ever_and_say_nothing():
    pods: PodExecutor = NoPods()
    pod = ContainerSpec("p", "image", "", {}, (), 20, Mount("/workspace", "p"), "NVIDIA A40", 1)
    pods.start(pod)
    assert pods.poll("p") is None
    assert pods.pull_problem("image") is None
    assert pods.lines("p") == ()
    assert pods.usage("p") == Usage()
    assert pods.request("p", 1, Request.of("GET", "/")).status == 502
    pods.stop("p", 1)
    pods.remove("p")
