from datetime import UTC, datetime

import pytest
from jinja2.exceptions import SecurityError

from podtune.data import template_sandbox
from podtune.data.template_sandbox import TRAINING_DAY

DAY = datetime(2031, 2, 3, 14, 5, tzinfo=UTC)


def rendered(source, **given):
    return template_sandbox.environment(DAY).from_string(source).render(**given)


def test_templates_are_told_the_given_day():
    assert rendered("{{ strftime_now('%d %b %Y %H:%M') }}") == "03 Feb 2031 14:05"


def test_the_day_of_training_is_no_day_of_the_clock():
    assert TRAINING_DAY.strftime("%d %b %Y") == "26 Jul 2024"


def test_json_is_written_as_transformers_writes_it():
    value = {"b": "é<>&", "a": [1, None, True]}
    assert rendered("{{ v | tojson }}", v=value) == '{"b": "é<>&", "a": [1, null, true]}'
    assert rendered("{{ v | tojson(sort_keys=true) }}", v=value).startswith('{"a"')
    assert rendered("{{ v | tojson(separators=(',', ':')) }}", v={"a": 1}) == '{"a":1}'
    assert rendered("{{ v | tojson(ensure_ascii=true) }}", v="é") == '"\\u00e9"'


def test_dicts_and_namespaces_can_be_made():
    assert rendered("{% set d = dict(a=1) %}{{ d.a }}{{ dict.fromkeys('xy', 2) }}") == (
        "1{'x': 2, 'y': 2}"
    )
    counting = "{% set n = namespace(i=0) %}{% for _ in v %}{% set n.i = n.i + 1 %}{% endfor %}"
    assert rendered(counting + "{{ n.i }}", v=[1, 2]) == "2"


@pytest.mark.parametrize(
    "source",
    [
        "{% set n = namespace(__init__=1) %}",
        "{% set n = namespace() %}{% set n._x = 1 %}",
        "{{ namespace({'_x': 1}) }}",
        "{{ dict.__class__.__mro__ }}",
        "{{ dict.__call__.__globals__ }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ strftime_now.__closure__[0].cell_contents }}",
    ],
)
def test_no_way_leads_out(source):
    with pytest.raises(SecurityError):
        rendered(source)


def test_a_template_refuses_in_its_own_words():
    with pytest.raises(template_sandbox.FAULTS, match="no such role"):
        rendered("{{ raise_exception('no such role') }}")


@pytest.mark.parametrize("name", ["_iterator", "__class__", "_undefined"])
def test_what_a_loop_hides_stays_hidden(name):
    loop = "{% for x in v %}{{ loop.first }},{{ loop.index }} {% endfor %}"
    assert rendered(loop, v=[1, 2]) == "True,1 False,2 "
    with pytest.raises(SecurityError):
        rendered("{% for x in v %}{{ loop." + name + ".x }}{% endfor %}", v=[1])
