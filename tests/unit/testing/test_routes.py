import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.testing.http import Response
from podtune.testing.routes import Route, RouteTable, compiled


def table(*lines):
    routes = RouteTable()
    routes.add(
        [Route(method, pattern, lambda _: Response(200), name) for method, pattern, name in lines]
    )
    return routes


def test_the_first_that_fits_wins():
    routes = table(("GET", "/a/{id}", "one"), ("GET", "/a/b", "two"), ("*", "/p/{rest...}", "any"))
    match = routes.find("GET", "/a/b")
    assert match.route.name == "one"
    assert match.params == {"id": "b"}
    assert routes.find("PUT", "/p/x/y").params == {"rest": "x/y"}


def test_methods_of_a_path_are_told_when_none_fits():
    routes = table(("GET", "/a", "one"), ("POST", "/a", "two"), ("GET", "/b", "three"))
    match = routes.find("PUT", "/a")
    assert match.route is None
    assert match.allowed == ("GET", "POST")
    assert routes.find("GET", "/c").allowed == ()


@pytest.mark.parametrize("path", ["/v2/pods/", "/v2/pods/a/b", "/v2/podsx"])
def test_a_place_is_one_part_of_a_path(path):
    assert compiled("/v2/pods/{id}").fullmatch(path) is None


@settings(deadline=None)
@given(st.text(max_size=30))
def test_signs_of_a_pattern_mean_themselves(text):
    pattern = "/a.b+c/{id}"
    found = compiled(pattern).fullmatch("/a.b+c/" + text)
    assert (found is not None) == (bool(text) and "/" not in text)
