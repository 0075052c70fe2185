from support.stand_in import Desk


def test_ids_never_repeat_and_follow_the_seed():
    one, two = Desk(seed=7).cloud.account, Desk(seed=7).cloud.account
    made = [one.new_id(3) for _ in range(2_000)]
    assert len(set(made)) == 2_000
    assert made == [two.new_id(3) for _ in range(2_000)]
    assert Desk(seed=8).cloud.account.new_id() != Desk(seed=7).cloud.account.new_id()


def test_the_journal_counts_up_and_names_the_pod():
    desk = Desk()
    pod_id = desk.running()
    lines = desk.cloud.happenings()
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert [line.what for line in lines] == ["created", "running"]
    assert lines[0].pod_id == pod_id
    assert lines[0].detail == "1 x NVIDIA A40, $0.40/h"
    assert desk.cloud.happenings(after=len(lines)) == []


def test_a_pods_key_is_known_as_its_own_for_ever():
    desk = Desk()
    pod_id = desk.create()
    key = desk.cloud.account.pods[pod_id].key
    assert key.startswith("rpa_")
    desk.ask("DELETE", f"/v2/pods/{pod_id}")
    assert desk.ask("GET", "/v2/pods", key=key).status == 403
