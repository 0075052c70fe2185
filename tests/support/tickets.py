"""Plans with tokens, as a face gets them. For tests only."""

import json
from datetime import datetime, timedelta

from sqlalchemy import select

from podtune.app.plan_tickets import PlanTickets
from podtune.app.ticket import Ticket
from podtune.core.access import Principal
from podtune.core.plan import Plan
from podtune.workflow.plan_tickets import PlanTicket, find
from podtune.workflow.tables import plan_tickets
from support.desks import Office


def issued(office: Office, principal: Principal, request, **more) -> tuple[Plan, Ticket]:
    """A plan of a caller's desk with its token."""
    plan = office.desk(principal).plan(request)
    return plan, PlanTickets(office.submissions).issue(plan, request, principal, **more)


def row_of(office: Office, ticket_id: str) -> PlanTicket:
    """A ticket as it stands in the table."""
    with office.service.store().reading() as connection:
        found = find(connection, ticket_id)
    assert found is not None
    return found


def everything_stored(office: Office) -> str:
    """All rows of the table as text."""
    with office.service.store().reading() as connection:
        rows = [list(row) for row in connection.execute(select(plan_tickets))]
    return json.dumps(rows)


def later(office: Office, minutes: float) -> datetime:
    """From now on it is so much later."""
    store = office.service.store()
    now = store.clock() + timedelta(minutes=minutes)
    store.keep_time(lambda: now)
    return now
