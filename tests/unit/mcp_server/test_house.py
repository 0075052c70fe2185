import pytest
from mcp.types import ListRootsResult, Root

from podtune.core.access import THIS_MACHINE
from podtune.core.errors import ForbiddenError, SpecError
from support.agents import Door
from support.desks import tenant

NO_ROOTS = ListRootsResult(roots=[])


def roots(*folders):
    return ListRootsResult(roots=[Root(uri=folder.as_uri()) for folder in folders])


def test_without_a_door_it_is_this_machine_s_own_user(host):
    assert host.house.caller is THIS_MACHINE
    assert host.house.desk().principal is THIS_MACHINE
    host.house.count_submit()


def test_with_a_door_it_is_whom_the_door_knows(hosted):
    door = Door(tenant("acme"))
    made = hosted(door=door).house
    assert made.caller.tenant == "acme"
    made.count_submit()
    assert door.counted == 1


def test_the_client_s_roots_are_the_workspace_else_the_working_folder(host, work, tmp_path):
    other, third = tmp_path / "other", tmp_path / "third"
    other.mkdir()
    third.mkdir()
    assert host.house.workspace(NO_ROOTS).roots == (work,)
    assert host.house.workspace(roots(other, third)).roots == (other, third)


def test_a_tenant_has_no_folder_of_this_machine(hosted):
    with pytest.raises(ForbiddenError) as caught:
        hosted(door=Door(tenant("acme"))).house.workspace(NO_ROOTS)
    assert caught.value.code == "operator_only"


def test_the_whole_disk_is_no_workspace(hosted, tmp_path):
    made = hosted(tmp_path.anchor and type(tmp_path)(tmp_path.anchor)).house
    with pytest.raises(SpecError) as caught:
        made.workspace(NO_ROOTS)
    assert caught.value.code == "no_workspace"
