"""policies/README.md and policies/schema.json, made from the models so that they cannot say anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gateway.policy.model import Model
from gateway.policy.schema import AdministrativeModel, PolicyModel, RouteModel, RuleModel
from gateway.policy.schema_case import Expectation, GoldenCase
from gateway.policy.schema_directive import ContactModel, DirectiveModel, DocumentModel
from gateway.policy.schema_then import DiscardThen, HoldThen, Phases, RefuseThen, RelayThen, Rollout, Then
from gateway.policy.schema_when import TimeWindow, When

_INTRODUCTION = """\
# Các tệp chính sách / Policy files

Tệp này được tạo tự động từ mã nguồn; không sửa bằng tay. *This file is generated from the models; do not edit it.*

Sửa tệp nào trong thư mục này thì cổng thư tự đọc lại sau vài giây. Nếu có lỗi, cổng tiếp tục dùng bản cũ và ghi lỗi vào
nhật ký. Sau khi sửa hãy chạy `gateway check`: mọi lỗi được nêu cùng lúc, kèm tên tệp, số dòng, số cột và cách sửa.
Muốn thử trước khi áp dụng thì sửa trên một bản sao: `gateway check --policies BẢN-SAO`.

*The gateway reads this directory again a few seconds after a change. On any error it keeps the set in force and says so
in its log. Run `gateway check` after a change: it reports every problem at once, with file, line, column and how to mend
it. To try a change before it counts, check a copy: `gateway check --policies COPY`.*

| Tệp / File | Nội dung / What it holds |
|---|---|
| `policy.yaml` | tên miền, tuyến, quy tắc / domains, routes, rules |
| `units.csv` | danh sách đơn vị / units |
| `mailboxes.csv` | hộp thư và tên miền của đơn vị / mailboxes and domains of units |
| `free_providers.txt` | thêm, bớt nhà cung cấp thư miễn phí / free providers added and removed |
| `directives/*.yaml` | văn bản chỉ đạo nêu trong thư thông báo / directives that notices cite |
| `templates/*.j2` | mẫu thư thông báo / notices |
| `cases/*.yaml` | tình huống kiểm tra: mỗi lần đọc lại đều phải đạt / golden cases that every reload must pass |

YAML ở đây đơn giản hơn thông thường: không có bí danh, neo, thẻ kiểu và khóa trùng; ngày ghi dạng `2026-12-01`.
*YAML here is a plain subset: no aliases, anchors, tags or duplicate keys; dates are written 2026-12-01.*

Trong trình soạn thảo có hỗ trợ yaml-language-server, `schema.json` giúp gợi ý và báo lỗi ngay khi gõ.
*Editors with yaml-language-server use `schema.json` to complete and check while you type.*
"""

_SECTIONS: tuple[tuple[str, type[Model]], ...] = (
    ("policy.yaml", PolicyModel),
    ("policy.yaml: routes.NAME", RouteModel),
    ("policy.yaml: administrative", AdministrativeModel),
    ("policy.yaml: rules[]", RuleModel),
    ("policy.yaml: when, unless", When),
    ("policy.yaml: when.time", TimeWindow),
    ("policy.yaml: rollout", Rollout),
    ("policy.yaml: rollout.units.ID, rollout.unit_kinds.KIND", Phases),
    ("policy.yaml: then, meanwhile", Then),
    ("policy.yaml: relay", RelayThen),
    ("policy.yaml: hold", HoldThen),
    ("policy.yaml: refuse", RefuseThen),
    ("policy.yaml: discard", DiscardThen),
    ("directives/*.yaml", DirectiveModel),
    ("directives/*.yaml: document, grounds[]", DocumentModel),
    ("directives/*.yaml: contact", ContactModel),
    ("cases/*.yaml: cases[]", GoldenCase),
    ("cases/*.yaml: expect", Expectation),
)


def readme() -> str:
    """The text of policies/README.md."""
    lines = [_INTRODUCTION]
    for title, model in _SECTIONS:
        lines += _section(title, model)
    return "\n".join(lines).rstrip() + "\n"


def json_schema() -> str:
    """The text of policies/schema.json, for policy.yaml."""
    schema = _without_null(PolicyModel.model_json_schema())
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _section(title: str, model: type[Model]) -> Iterator[str]:
    english, vietnamese = _both(model.__doc__ or "")
    yield f"## {title}\n"
    yield f"{vietnamese}\n*{english}*\n"
    if not model.model_fields:
        return
    yield "| Khóa / Key | Giải thích | Meaning |"
    yield "|---|---|---|"
    for name, field in model.model_fields.items():
        english, vietnamese = _both(field.description or "")
        key = f"`{field.alias or name}`" + (" *" if field.is_required() else "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in (key, vietnamese, english)) + " |"
    if any(field.is_required() for field in model.model_fields.values()):
        yield "\n\\* bắt buộc / required"
    yield ""


def _both(text: str) -> tuple[str, str]:
    """The English and the Vietnamese paragraph of a docstring."""
    english, _, vietnamese = text.partition("\n\n")
    return " ".join(english.split()), " ".join(vietnamese.split())


def _without_null(part: Any) -> Any:
    """The schema without `null`: in these files a key is left out, never left empty."""
    if isinstance(part, list):
        return [_without_null(one) for one in part]
    if not isinstance(part, dict):
        return part
    plain = {key: _without_null(value) for key, value in part.items() if not (key == "default" and value is None)}
    if "anyOf" in plain:
        choices = [one for one in plain["anyOf"] if one != {"type": "null"}]
        if len(choices) == 1:
            del plain["anyOf"]
            return {**choices[0], **plain}
        plain["anyOf"] = choices
    return plain
