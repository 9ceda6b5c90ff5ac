"""From checked models to what is read at work: rules, conditions, schedules, routes."""

from __future__ import annotations

from datetime import date

from gateway.policy.conditions import compile_clause
from gateway.policy.decision import Discard, Disposition, Hold, Refuse, Relay
from gateway.policy.match import Match, Setting
from gateway.policy.route import Route
from gateway.policy.rules import DEFER, Days, Outcome, Rule, Schedule
from gateway.policy.schema import PolicyModel, RouteModel, RuleModel
from gateway.policy.schema_then import Phases, Rollout, Then


def build_rules(model: PolicyModel, setting: Setting) -> tuple[Rule, ...]:
    return tuple(_rule(rule, setting) for rule in model.rules)


def build_route(name: str, model: RouteModel) -> Route:
    return Route(name, model.protocol, model.host, model.port, model.path, model.starttls, model.xclient)


def _rule(model: RuleModel, setting: Setting) -> Rule:
    match = Match(
        compile_clause(model.when, setting), tuple(compile_clause(exception, setting) for exception in model.unless)
    )
    if isinstance(model.meanwhile, Then):
        meanwhile: Outcome | None = _outcome(model.meanwhile)
    else:
        meanwhile = DEFER if model.meanwhile == "defer" else None
    return Rule(model.name, match, _outcome(model.then), meanwhile, _schedule(model.rollout))


def _outcome(then: Then) -> Outcome:
    return Outcome(_disposition(then), then.notice or "")


def _disposition(then: Then) -> Disposition:
    if then.hold:
        return Hold(then.hold.reason, then.hold.retain) if then.hold.retain else Hold(then.hold.reason)
    if then.refuse:
        return Refuse(then.refuse.reply())
    if relay := then.relay:
        return Relay(relay.route, relay.redirect, relay.copy_to, relay.tags, relay.plus_address, relay.subject_prefix)
    return Discard()


def _schedule(rollout: Rollout | None) -> Schedule | None:
    if rollout is None:
        return None
    return Schedule(
        _days(rollout),
        {kind: _days(phases, rollout) for kind, phases in rollout.unit_kinds.items()},
        {unit: _days(phases, rollout) for unit, phases in rollout.units.items()},
    )


def _days(phases: Phases, base: Phases | None = None) -> Days:
    """The days of an override, filled up from the rollout that it is in; `never` takes a phase away."""

    def day(name: str) -> date | None:
        chosen: date | str | None = getattr(phases, name) or getattr(base, name, None)
        return None if isinstance(chosen, str) else chosen

    return Days(day("observe"), day("remind"), day("hold"))
