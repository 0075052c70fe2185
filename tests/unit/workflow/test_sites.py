"""The effects there are, and who has to have them."""

from podtune.app.effects import LocalEffects
from podtune.app.pod_effects import PodEffects
from podtune.workflow.sites import Effects, RentedEffects
from podtune.workflow.steps import Effect


def verbs(protocol):
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_every_effect_of_the_workflow_is_a_verb_of_the_seams():
    everything = verbs(Effects) | verbs(RentedEffects)
    assert everything == {effect.value for effect in Effect}


def test_the_real_effects_have_their_verbs():
    assert all(callable(getattr(LocalEffects, name)) for name in verbs(Effects))
    rented = verbs(Effects) | verbs(RentedEffects)
    assert all(callable(getattr(PodEffects, name)) for name in rented)
