"""All files of a policy directory to one PolicySet, or to every problem in all of them at once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from zoneinfo import ZoneInfo

from gateway.envelope.address import parse_domain
from gateway.identity.grounds import Administrative, Grounds
from gateway.identity.identity import Holding, Unit
from gateway.identity.provider import FreeProviders
from gateway.identity.registry import Registry
from gateway.policy.build import build_route, build_rules
from gateway.policy.directive import Directive
from gateway.policy.errors import validate
from gateway.policy.lint import ANYTHING, Known, lint_directives, lint_policy
from gateway.policy.lint_rules import lint_names, lint_rules
from gateway.policy.match import Setting
from gateway.policy.places import Document, read_yaml
from gateway.policy.policyset import PolicySet
from gateway.policy.problem import Problem
from gateway.policy.salvage import salvage
from gateway.policy.schema import PolicyModel
from gateway.policy.schema_directive import DirectiveModel
from gateway.policy.tables import read_free_providers, read_mailboxes, read_units, whole_free_providers

__all__ = ["PolicySet", "digest_of", "load"]

POLICY, UNITS, MAILBOXES, FREE_PROVIDERS = "policy.yaml", "units.csv", "mailboxes.csv", "free_providers.txt"


def load(
    files: Mapping[str, str], *, today: date, generation: int = 0, unread: Collection[str] = ()
) -> tuple[PolicySet | None, list[Problem]]:
    """Read a policy set from its files (relative name to text); `unread` names those that are there and cannot be read.

    Returns the set, or None when there is an error, and all problems of all files, sorted by place; warnings do not
    stand in the way.
    """
    tables = _Tables(files, today, unread)
    directives, documents = _directives(files, tables.problems)
    templates = {name: files[f"templates/{name}.j2"] for name in _stems(files, "templates/", ".j2")}
    known = Known(
        {unit.id for unit in tables.units} if tables.has_all_units else ANYTHING,
        {unit.kind for unit in tables.units} if tables.has_all_units else ANYTHING,
        documents.keys() | _stems(unread, "directives/", ".yaml"),
        templates.keys() | _stems(unread, "templates/", ".j2"),
        today,
    )
    problems = [*tables.problems, *lint_directives(directives, documents, known), *_unread(files)]
    model = _policy(files, known, problems) if POLICY not in unread else None
    problems.sort()
    if model is None or any(problem.severity == "error" for problem in problems):
        return None, problems
    return _policy_set(model, tables, directives, templates, generation, digest_of(files)), problems


def _stems(names: Iterable[str], folder: str, suffix: str) -> set[str]:
    return {name[len(folder) : -len(suffix)] for name in names if name.startswith(folder) and name.endswith(suffix)}


def digest_of(files: Mapping[str, str]) -> str:
    """SHA-256 over names and texts, hex: two equal digests are one policy."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name, files[name]):
            octets = part.encode("utf-8", "surrogatepass")
            digest.update(len(octets).to_bytes(8, "big") + octets)
    return digest.hexdigest()


@dataclass(slots=True)
class _Tables:
    """What the CSV and text files hold."""

    files: Mapping[str, str]
    today: date
    unread: Collection[str] = ()
    has_all_units: bool = True  # False: what a unit is, is not known, so nobody is blamed for naming one
    units: list[Unit] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    free_additions: frozenset[str] = frozenset()
    free_removals: frozenset[str] = frozenset()
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        if UNITS in self.files:
            self.units, problems = read_units(self.files[UNITS], UNITS)
            self.has_all_units = not any(p.severity == "error" and not p.column for p in problems)  # cut short there
            self.problems += problems
        else:
            self.has_all_units = MAILBOXES not in self.files and UNITS not in self.unread
        if MAILBOXES in self.files:
            units = self.units if self.has_all_units else None
            self.holdings, problems = read_mailboxes(self.files[MAILBOXES], MAILBOXES, units, self.today)
            self.problems += problems
        self._tell_missing()
        if FREE_PROVIDERS in self.files:
            additions, removals, problems = read_free_providers(self.files[FREE_PROVIDERS], FREE_PROVIDERS)
            self.free_additions, self.free_removals = frozenset(additions), frozenset(removals)
            self.problems += problems
        self.problems += whole_free_providers(self.holdings, MAILBOXES, self.free)

    @property
    def free(self) -> FreeProviders:
        return FreeProviders(self.free_additions, self.free_removals)

    def _tell_missing(self) -> None:
        """A table less is a warning; but mailboxes of units that no file describes cannot be used."""
        for name in (UNITS, MAILBOXES):
            if name in self.files or name in self.unread:
                continue
            en, vi = (
                "the file is not there: no unit will be named",
                "không có tệp này: sẽ không xác định được đơn vị gửi",
            )
            if name == UNITS and self.holdings:
                en = f"the file is not there, and {MAILBOXES} names units: put it back"
                vi = f"không có tệp này, mà {MAILBOXES} có ghi đơn vị: hãy đưa tệp trở lại"
                self.problems.append(Problem(name, 0, 0, "error", "", en, vi))
            else:
                self.problems.append(Problem(name, 0, 0, "warning", "", en, vi))


def _directives(files: Mapping[str, str], problems: list[Problem]) -> tuple[dict[str, Directive], dict[str, Document]]:
    directives: dict[str, Directive] = {}
    documents: dict[str, Document] = {}
    for name in sorted(files):
        if not (name.startswith("directives/") and name.endswith(".yaml")):
            continue
        identifier = name[len("directives/") : -len(".yaml")]
        document = documents[identifier] = read_yaml(files[name], name)
        model = validate(DirectiveModel, document)
        problems += document.problems
        if model:
            directives[identifier] = model.directive(identifier)
    return directives, documents


def _policy(files: Mapping[str, str], known: Known, problems: list[Problem]) -> PolicyModel | None:
    if POLICY not in files:
        problems.append(Problem(POLICY, 0, 0, "error", "", "the file is not there", "không có tệp này"))
        return None
    document = read_yaml(files[POLICY], POLICY)
    model = validate(PolicyModel, document)
    problems += document.problems
    if model:
        problems += lint_policy(model, document)
        problems += lint_rules(model, document, known)
    elif rest := salvage(document):
        problems += (problem for problem in lint_names(rest, document, known) if problem not in problems)
    return model


def _unread(files: Mapping[str, str]) -> list[Problem]:
    """Files that nothing reads: most often a slip of the name."""
    folders = {"directives": ".yaml", "templates": ".j2", "cases": ".yaml", "obligations": ".yaml"}
    found = []
    for name in files:
        folder, slash, rest = name.partition("/")
        is_read = (
            rest.endswith(folders.get(folder, "\0")) if slash else name in (POLICY, UNITS, MAILBOXES, FREE_PROVIDERS)
        )
        if not is_read and name not in ("README.md", "schema.json"):
            found.append(
                Problem(
                    name,
                    0,
                    0,
                    "warning",
                    "",
                    "nothing reads this file: check its name and folder",
                    "tệp này không được đọc: xem lại tên và thư mục",
                )
            )
    return found


def _policy_set(
    model: PolicyModel,
    tables: _Tables,
    directives: dict[str, Directive],
    templates: dict[str, str],
    generation: int,
    digest: str,
) -> PolicySet:
    timezone = ZoneInfo(model.timezone)
    grounds = Grounds(
        registry=Registry(tables.units, tables.holdings),
        own_domains=model.own_domains,
        official_domains=model.official_domains,
        shared_clouds=model.shared_clouds,
        trusted_signers={parse_domain(domain): signers for domain, signers in model.trusted_signers.items()},
        trusted_sealers=model.trusted_sealers,
        administrative=Administrative(
            mailboxes=model.administrative.mailboxes,
            subject_words=model.administrative.subject_words,
            document_number=model.administrative.document_number,
            attachment_types=model.administrative.attachment_types,
        ),
        free=tables.free,
    )
    return PolicySet(
        authserv_id=model.authserv_id,
        timezone=timezone,
        own_domains=model.own_domains,
        official_domains=model.official_domains,
        routes=MappingProxyType({name: build_route(name, route) for name, route in model.routes.items()}),
        rules=build_rules(model, Setting(timezone, model.official_domains)),
        grounds=grounds,
        directives=MappingProxyType(directives),
        templates=MappingProxyType(templates),
        generation=generation,
        digest=digest,
    )
