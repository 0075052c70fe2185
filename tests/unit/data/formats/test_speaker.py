import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import DatasetError
from podtune.data.formats import speaker
from support.readings import Pass


@pytest.mark.parametrize(
    ("one", "other"),
    [("Anna", "anna"), ("~ Anna", "anna"), ("@anna", "Anna"), ("+49\u00a0170 1", "+49 170\u202f1"), ("\u200eAnna", "Anna")],
)  # fmt: skip
def test_names_are_compared_as_people_read_them(one, other):
    assert speaker.fold(one) == speaker.fold(other)


def test_a_person_is_found_by_any_name():
    people = {"U1": ["Anna", "anna.b"], "U2": ["Ben"]}
    assert speaker.stated("ANNA.B", people) == {"U1"}


TEAM = {"U1": ["Tom", "tom.b"], "U2": ["Jana"], "U3": ["Doe, Jane"], "U4": ["Jane"]}


@pytest.mark.parametrize(
    ("wanted", "people"),
    [("Tom, Jana", {"U1", "U2"}), ("jana,TOM.B,", {"U1", "U2"}), ("doe, jane", {"U3"}), ("Tom", {"U1"}),
     ("Jane, Tom, Jane", {"U4", "U1"})],
)  # fmt: skip
def test_several_are_parted_by_commas_unless_one_name_has_them(wanted, people):
    assert speaker.stated(wanted, TEAM) == people


@pytest.mark.parametrize("wanted", ["Tom, Cleo", "Cleo, Tom"])
def test_of_several_the_unknown_one_is_named(wanted):
    with pytest.raises(DatasetError, match="'Cleo'") as caught:
        speaker.stated(wanted, TEAM)
    assert "several with commas" in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [(None, set()), (" ", set()), ("Tom", {"tom"}), ("Tom, Jana", {"tom, jana", "tom", "jana"})],
)
def test_every_name_that_may_be_meant(wanted, keys):
    assert speaker.keys(wanted) == keys


def test_of_two_people_one_is_the_assistant_and_of_more_several_may_be():
    assert chosen({"Anna": -3.0, "Ben": 3.0})[1].option == "--speaker NAME"
    assert "several with commas" in chosen({"Anna": 0.0, "Ben": 3.0, "Cleo": 2.0})[1].option


def test_the_error_names_ten_candidates_at_most_and_cuts_them():
    people = {str(n): [f"{n} " + "x" * 100] for n in range(30)}
    with pytest.raises(DatasetError) as caught:
        speaker.stated("nobody", people)
    error = caught.value
    assert error.code == "unknown_speaker"
    assert "--speaker" in error.hint
    assert len(error.context["candidates"]) == speaker.SHOWN
    assert all(len(name) <= speaker.NAME_LENGTH for name in error.context["candidates"])


def test_nobody_is_called_nothing():
    with pytest.raises(DatasetError, match="nobody here"):
        speaker.stated(" ", {"": [""]})


def chosen(scores, names=None):
    made = Pass()
    found = speaker.by_rule(made.reading, scores, names or {p: p for p in scores})
    return found, made.reading.choices.get("speaker")


def test_who_answers_most_is_chosen_and_shown():
    found, choice = chosen({"Anna": -3.0, "Ben": 3.0, "Cleo": 0.0})
    assert found == "Ben"
    assert (choice.value, choice.others, choice.close) == ("Ben", ("Cleo", "Anna"), False)
    assert choice.option.startswith("--speaker NAME")


def test_two_who_fit_alike_are_to_be_asked_about():
    assert chosen({"Anna": 5.0, "Ben": 4.5})[1].close
    found, choice = chosen({"Anna": 0.0, "Ben": 0.0})
    assert found == "Ben"  # answers follow questions
    assert choice.close


def test_a_name_such_as_support_settles_it():
    assert not chosen({"Oakfield Support": 1.0, "Anna": 0.9})[1].close
    assert speaker.SUPPORT.search("customer_support")
    assert not speaker.SUPPORT.search("Supporter")
    assert not speaker.SUPPORT.search("Aidmods")


def test_one_person_alone_is_no_choice():
    assert chosen({"Anna": 1.0}) == (None, None)


@given(st.text(max_size=600))
def test_any_name_can_be_shown(name):
    assert len(speaker.shown(name)) <= speaker.NAME_LENGTH
    assert speaker.shown(name).isprintable()
    speaker.SUPPORT.search(name)
