from support.stand_in import Desk


def test_lists_are_whole_by_default():
    desk = Desk()
    for number in range(3):
        desk.create(name=f"p{number}")
    assert set(desk.ask("GET", "/v2/pods").json()) == {"pods"}


def test_pages_follow_each_other():
    desk = Desk(page_size=2)
    made = [desk.create(name=f"p{number}") for number in range(5)]
    seen, cursor = [], ""
    while True:
        answer = desk.ask("GET", f"/v2/pods?cursor={cursor}").json()
        seen += [pod["id"] for pod in answer["pods"]]
        assert len(answer["pods"]) <= 2
        if "nextCursor" not in answer:
            break
        cursor = answer["nextCursor"]
    assert seen == made
    assert desk.ask("GET", "/v2/pods?cursor=other").status == 400
