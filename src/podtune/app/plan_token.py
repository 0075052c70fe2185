"""A plan's token, `ptp_<id>_<signature>`: what it binds, and whether a text is the one that was given out.

The signature is an HMAC by the installation's signing key over everything that was agreed on, so that neither the
token nor the row that it stands for can be altered. It is made anew to compare, and stored nowhere.
"""

import hashlib
import hmac
import json
import re
from typing import Final

from pydantic import SecretStr

from podtune.app.installation import SigningKey
from podtune.core.plan import Plan
from podtune.workflow.columns import micro_dollars, micros
from podtune.workflow.plan_tickets import FREE, PlanTicket

ID_LENGTH: Final = 12
_PURPOSE: Final = "plan token 1: "
_TOKEN: Final = re.compile(r"ptp_([a-z0-9]{12})_[0-9a-f]{64}", re.ASCII)


def token_of(row: PlanTicket, key: SigningKey) -> SecretStr:
    """The token of a row.

    Args:
        row: What it binds: installation, tenant and key, face, the three digests, the ceiling, the end, and whether
            a person has to agree.
        key: The installation's.
    """
    bound = {
        "id": row.id,
        "owner": row.owner,
        "tenant": row.tenant,
        "key_id": row.key_id,
        "kind": row.kind,
        "data": row.data_digest,
        "spec": row.spec_digest,
        "plan": row.plan_digest,
        "ceiling_micro_usd": None if row.ceiling_usd is None else micro_dollars(row.ceiling_usd),
        "needs_approval": row.approval != FREE,
        "expires_at": micros(row.expires_at),
    }
    canonical = json.dumps(bound, sort_keys=True, separators=(",", ":"))
    return SecretStr(f"ptp_{row.id}_{key.derive(_PURPOSE + canonical)}")


def id_in(token: str) -> str | None:
    """Which row a text may be the token of; None where it has not a token's form.

    >>> id_in("ptp_abcdefghjkmn_" + "0" * 64), id_in("ptk_abcdefghjkmn_" + "0" * 64)
    ('abcdefghjkmn', None)
    """
    found = _TOKEN.fullmatch(token[:200])
    return found[1] if found else None


def fits(token: str, row: PlanTicket, key: SigningKey) -> bool:
    """Whether a text is the row's token, as the row stands now."""
    expected = token_of(row, key).get_secret_value()
    return hmac.compare_digest(token.encode(), expected.encode())


def data_digest(plan: Plan) -> str:
    """sha256 of the sums of what is trained and compared on."""
    reports = [plan.report, *([plan.validation_report] if plan.validation_report else [])]
    return _sha256([[one.sha256, one.rows_sha256] for one in reports])


def spec_digest(plan: Plan) -> str:
    """sha256 of the resolved spec."""
    return _sha256(plan.spec.model_dump(mode="json"))


def _sha256(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
