"""free_providers.txt of the policies: corrections to the packaged list, `+domain` or `-domain`, one a line."""

from __future__ import annotations

from gateway.envelope.address import AddressError, parse_domain
from gateway.policy.problem import Problem


def read_free_providers(text: str, file: str) -> tuple[frozenset[str], frozenset[str], list[Problem]]:
    """Read the additions, the removals and every problem. A domain without a sign is an addition; `#` begins a comment."""
    signs: dict[str, tuple[str, int]] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        sign, name = (entry[0], entry[1:].strip()) if entry[0] in "+-" else ("+", entry)
        column = line.index(entry) + 1
        try:
            domain = _host(name)
        except AddressError as error:
            problems.append(Problem(file, number, column, "error", entry,
                                    f"{error}. Write +domain or -domain, as in +mail.example.",
                                    "tên miền không hợp lệ. Hãy viết +tên-miền hoặc -tên-miền."))  # fmt: skip
            continue
        earlier = signs.setdefault(domain, (sign, number))
        if earlier[1] != number:
            problems.append(_repeated(file, number, column, entry, domain, earlier[0] == sign, earlier[1]))
    chosen = {wanted: frozenset(d for d, (sign, _) in signs.items() if sign == wanted) for wanted in "+-"}
    return chosen["+"], chosen["-"], problems


def _host(name: str) -> str:
    domain = parse_domain(name)
    if "." not in domain:
        raise AddressError("a domain has two labels at least")
    return domain


def _repeated(file: str, line: int, column: int, entry: str, domain: str, is_same: bool, earlier: int) -> Problem:
    if is_same:
        return Problem(file, line, column, "warning", entry, f"{domain} is on line {earlier} already. Delete one.",
                       f"{domain} đã có ở dòng {earlier}. Hãy xóa bớt một dòng.")  # fmt: skip
    return Problem(file, line, column, "error", entry, f"{domain} is both added and removed (line {earlier}). Keep one.",
                   f"{domain} vừa được thêm vừa bị bỏ (dòng {earlier}). Hãy giữ lại một dòng.")  # fmt: skip
