"""The kinds of administrative documents and the signs of agencies (Nghị định 30/2020/NĐ-CP, appendix III)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LETTER = "CV"  # công văn: its number carries no kind; offices write CV in lists and file names

ADMINISTRATIVE = {  # the 29 kinds; two of them, công văn and thư công, have no abbreviation
    "NQ": "Nghị quyết (cá biệt)",
    "QĐ": "Quyết định (cá biệt)",
    "CT": "Chỉ thị",
    "QC": "Quy chế",
    "QyĐ": "Quy định",
    "TC": "Thông cáo",
    "TB": "Thông báo",
    "HD": "Hướng dẫn",
    "CTr": "Chương trình",
    "KH": "Kế hoạch",
    "PA": "Phương án",
    "ĐA": "Đề án",
    "DA": "Dự án",
    "BC": "Báo cáo",
    "BB": "Biên bản",
    "TTr": "Tờ trình",
    "HĐ": "Hợp đồng",
    "CĐ": "Công điện",
    "BGN": "Bản ghi nhớ",
    "BTT": "Bản thỏa thuận",
    "GUQ": "Giấy ủy quyền",
    "GM": "Giấy mời",
    "GGT": "Giấy giới thiệu",
    "GNP": "Giấy nghỉ phép",
    "PG": "Phiếu gửi",
    "PC": "Phiếu chuyển",
    "PB": "Phiếu báo",
}
COPIES = {"SY": "Sao y", "TrS": "Trích sao", "SL": "Sao lục"}
OTHERS = {  # what offices also number and cite
    LETTER: "Công văn",
    "NĐ": "Nghị định",
    "TT": "Thông tư",
    "TTLT": "Thông tư liên tịch",
    "VBHN": "Văn bản hợp nhất",
}
KINDS = ADMINISTRATIVE | COPIES | OTHERS  # abbreviation: name


def _plain(text: str) -> str:
    """Upper case without the stroke of Đ and without accents."""
    upper = unicodedata.normalize("NFD", text.upper().replace("Đ", "D"))
    return "".join(char for char in upper if not unicodedata.combining(char))


_BY_UPPER = {kind.upper(): kind for kind in KINDS}
_BY_PLAIN = {_plain(kind): kind for kind in reversed(KINDS)} | {_plain(kind): kind for kind in KINDS if kind.isascii()}

_AGENCY = re.compile(
    r"(?:.{0,6}GD(?:&|DT|TX|NN|CN|TH|MN|TRH)?.{0,10}|(?:UBND|HDND|HDTS|THPT|THCS|TH|MN|MG|MAM|PTDT|PTDTNT|TTGD|GDTX|GDNN|CD|DH|BGD|SGD|PGD"
    r"|SNV|STC|VPUB|VP|TTG|CP|QH|BCT|BTC|BNV|BTTTT|KTQLCL|HD|CDGD|BCD)[A-Z&.]{0,12})\Z"
)


@lru_cache(maxsize=1024)  # the same few abbreviations in nearly every number
def kind_of(text: str) -> str:
    """The abbreviation of appendix III that this is, in any case and with or without accents; "" when it is none.

    `HĐ` is a contract; `HD`, without the stroke, is read as what it is: guidance.
    """
    text = unicodedata.normalize("NFC", text)
    return _BY_UPPER.get(text.upper()) or _BY_PLAIN.get(_plain(text), "")


@lru_cache(maxsize=1024)
def is_agency(text: str) -> bool:
    """Whether this looks like the abbreviation of an agency or a drafting unit: `PGDĐT`, `KTQLCL`, `THPTTA`, `sgddt`.

    In capitals any abbreviation will do; in lower case only those that schools and their authorities use.
    """
    text = unicodedata.normalize("NFC", text)
    letters = [char for char in text if char.isalpha()]
    capitals = sum(char.isupper() for char in letters)
    if capitals >= 2 and capitals >= len(letters) - 2:
        return True
    return bool(_AGENCY.match(_plain(text)))
