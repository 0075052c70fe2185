"""Who asks, and what they may do."""

import pytest

from podtune.core.access import THIS_MACHINE, Principal, Scope


@pytest.mark.parametrize("scope", Scope)
def test_a_caller_may_do_what_their_key_says(scope):
    one = Principal(tenant="t", scopes=frozenset({scope}))
    held = {Scope.ADMIN: list(Scope), Scope.SUBMIT: [Scope.SUBMIT, Scope.PLAN]}
    assert [s for s in Scope if one.may(s)] == held.get(scope, [scope])


def test_who_sits_at_this_machine_may_do_all_and_sees_all():
    assert all(THIS_MACHINE.may(scope) for scope in Scope)
    assert THIS_MACHINE.tenant is None
    assert THIS_MACHINE.key_id is None
