"""Rules that name what is not there, that cannot apply, or that leave mail without a rule."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise

from gateway.policy.errors import near
from gateway.policy.lint import Known, is_ours
from gateway.policy.places import Document, Path
from gateway.policy.problem import Problem
from gateway.policy.reach import covers, impossible
from gateway.policy.schema import PolicyModel, RuleModel
from gateway.policy.schema_then import TAGS, Phases, RelayThen, Rollout, Then
from gateway.policy.schema_when import When


def lint_rules(model: PolicyModel, document: Document, known: Known) -> Iterator[Problem]:
    """Problems of the rules, each by itself and all together."""
    for i, rule in enumerate(model.rules):
        path: Path = ("rules", i)
        yield from _references(rule, path, model, document, known)
        yield from _rollout(rule, path, document, known)
        yield from _notices(rule, path, document)
        for field, en, vi in impossible(rule, model, known.today):
            yield document.warning(
                (*path, *field),
                rule.name,
                f"rule '{rule.name}' can never apply: {en}",
                f"quy tắc '{rule.name}' không bao giờ được áp dụng: {vi}",
            )
    yield from _order(model, document)


def lint_names(model: PolicyModel, document: Document, known: Known) -> Iterator[Problem]:
    """What the rules name and the set does not have; all that can be said of a policy that has errors elsewhere."""
    for i, rule in enumerate(model.rules):
        yield from _references(rule, ("rules", i), model, document, known)


def _order(model: PolicyModel, document: Document) -> Iterator[Problem]:
    first_of: dict[str, int] = {}
    for i, rule in enumerate(model.rules):
        first = first_of.setdefault(rule.name, i)
        if first != i:
            line = document.place(("rules", first, "name"))[0]
            yield document.problem(
                ("rules", i, "name"),
                rule.name,
                f"the rule name '{rule.name}' is already in line {line}",
                f"tên quy tắc '{rule.name}' đã dùng ở dòng {line}",
            )
        shadow = next(
            (other for other in model.rules[:i] if _ends_reading(other) and covers(other.when, rule.when)), None
        )
        if shadow:
            yield document.warning(
                ("rules", i, "name"), rule.name,
                f"rule '{rule.name}' is never reached: '{shadow.name}' above it takes all its mail",
                f"không bao giờ xét đến quy tắc '{rule.name}': quy tắc '{shadow.name}' ở trên đã xử lý hết",
            )  # fmt: skip
    last = model.rules[-1]
    if last.when.given or last.unless or last.rollout:
        yield document.problem(
            ("rules", len(model.rules) - 1, "name"), last.name,
            "the last rule must always apply: add one without when, unless and rollout",
            "quy tắc cuối phải luôn đúng: hãy thêm một quy tắc không có when, unless, rollout",
        )  # fmt: skip


def _ends_reading(rule: RuleModel) -> bool:
    return not rule.unless and rule.rollout is None and (rule.meanwhile != "pass" or not rule.when.given)


def _references(rule: RuleModel, path: Path, model: PolicyModel, document: Document, known: Known) -> Iterator[Problem]:
    yield from _clause(rule.when, (*path, "when"), document, known)
    for i, exception in enumerate(rule.unless):
        place = (*path, "unless", i)
        yield from _clause(exception, place, document, known)
        if not exception.given:
            yield document.problem(
                place, "", "an empty exception excepts everything", "ngoại lệ rỗng sẽ loại trừ mọi thư"
            )
    for key, then in (("then", rule.then), ("meanwhile", rule.meanwhile)):
        if isinstance(then, Then):
            yield from _then(then, (*path, key), model, document, known)


def _unknown(
    document: Document, path: Path, value: str, what: tuple[str, str], known: Collection[str]
) -> Iterator[Problem]:
    if value not in known:
        en, vi = near(value, known)
        yield document.problem(path, value, f"unknown {what[0]} '{value}'{en}", f"không có {what[1]} '{value}'{vi}")


def _clause(when: When, path: Path, document: Document, known: Known) -> Iterator[Problem]:
    for i, unit in enumerate(when.unit or ()):
        if unit not in ("known", "unknown"):
            yield from _unknown(document, (*path, "unit", i), unit, ("unit", "đơn vị"), known.units)
    for i, kind in enumerate(when.unit_kind or ()):
        yield from _unknown(document, (*path, "unit_kind", i), kind, ("kind of unit", "loại đơn vị"), known.unit_kinds)


def _then(then: Then, path: Path, model: PolicyModel, document: Document, known: Known) -> Iterator[Problem]:
    if then.notice:
        yield from _unknown(
            document, (*path, "notice"), then.notice, ("directive", "văn bản trong directives/"), known.directives
        )
    if then.relay:
        yield from _relay(then.relay, (*path, "relay"), model, document)


def _relay(relay: RelayThen, path: Path, model: PolicyModel, document: Document) -> Iterator[Problem]:
    yield from _unknown(document, (*path, "route"), relay.route, ("route", "tuyến"), model.routes)
    for i, tag in enumerate(relay.tags):
        yield from _unknown(document, (*path, "tags", i), tag, ("tag", "nhãn"), TAGS)
    for key, mailboxes in (("redirect", relay.redirect), ("copy_to", relay.copy_to)):
        for i, mailbox in enumerate(mailboxes):
            if not is_ours(str(mailbox), model.own_domains):
                yield document.warning(
                    (*path, key, i),
                    str(mailbox),
                    f"'{mailbox}' is outside own_domains: mail leaves the office",
                    f"'{mailbox}' nằm ngoài own_domains: thư sẽ ra khỏi cơ quan",
                )


def _rollout(rule: RuleModel, path: Path, document: Document, known: Known) -> Iterator[Problem]:
    if rule.rollout is None:
        return
    place = (*path, "rollout")
    if not any(day not in (None, "never") for day in _all_days(rule.rollout)):
        yield document.problem(place, "", "a rollout needs at least one day", "rollout cần ít nhất một ngày")
    yield from _in_order(rule.rollout, None, place, document)
    for key, overrides, names, what in (
        ("units", rule.rollout.units, known.units, ("unit", "đơn vị")),
        ("unit_kinds", rule.rollout.unit_kinds, known.unit_kinds, ("kind of unit", "loại đơn vị")),
    ):
        for name, days in overrides.items():
            yield from _unknown(document, (*place, key, name), name, what, names)
            yield from _in_order(days, rule.rollout, (*place, key, name), document)


def _all_days(rollout: Rollout) -> list[object]:
    """Days of all phases, those of the overrides too: a rollout may be for some units only."""
    parts = (rollout, *rollout.units.values(), *rollout.unit_kinds.values())
    return [getattr(phases, name) for phases in parts for name in ("observe", "remind", "hold")]


def _in_order(phases: Phases, base: Phases | None, path: Path, document: Document) -> Iterator[Problem]:
    named = [(name, getattr(phases, name) or (base and getattr(base, name))) for name in ("observe", "remind", "hold")]
    days = [(name, day) for name, day in named if day and day != "never"]
    for (earlier, day), (later, next_day) in pairwise(days):
        mended_here = base is None or getattr(phases, earlier) or getattr(phases, later)
        if next_day < day and mended_here:
            yield document.problem(
                (*path, later),
                next_day,
                f"{later} ({next_day}) is before {earlier} ({day})",
                f"{later} ({next_day}) lại trước {earlier} ({day})",
            )


def _notices(rule: RuleModel, path: Path, document: Document) -> Iterator[Problem]:
    reminds = rule.rollout is not None and any(
        phases.remind not in (None, "never")
        for phases in (rule.rollout, *rule.rollout.units.values(), *rule.rollout.unit_kinds.values())
    )
    if rule.then.notice and rule.then.hold is None and not reminds:
        yield document.problem(
            (*path, "then", "notice"), rule.then.notice,
            "a notice goes with hold, or with a remind phase of the rollout",
            "notice chỉ dùng cùng với hold hoặc giai đoạn remind của rollout",
        )  # fmt: skip
    if reminds and not rule.then.notice:
        yield document.problem(
            (*path, "rollout", "remind"),
            "",
            "remind needs a notice to send: add 'notice' to then",
            "remind cần có thông báo để gửi: hãy thêm 'notice' vào then",
        )
    if isinstance(rule.meanwhile, Then) and rule.meanwhile.notice and rule.meanwhile.hold is None:
        yield document.problem(
            (*path, "meanwhile", "notice"),
            rule.meanwhile.notice,
            "a notice goes with hold",
            "notice chỉ dùng cùng với hold",
        )
