from decimal import Decimal

import pytest
from pydantic import ValidationError

from podtune.testing.options import CloudOptions


def test_a_pods_key_opens_graphql_but_not_rest_until_more_is_known():
    options = CloudOptions()
    assert not options.pod_key.rest
    assert options.pod_key.graphql
    assert options.spend_limit_usd == Decimal(80)


def test_unknown_options_are_refused():
    with pytest.raises(ValidationError):
        CloudOptions.model_validate({"boot": 1})
