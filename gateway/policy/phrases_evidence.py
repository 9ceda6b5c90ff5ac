"""Phrases for the reasons of SPF, DKIM, DMARC, ARC and iprev results, and of DNS (see phrases.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SIGNATURES: Final[Mapping[str, str]] = {
    "no signature": "không có chữ ký",
    "signature expired": "chữ ký đã hết hạn",
    "signed in the future": "thời điểm ký ở tương lai",
    "body hash does not match": "mã băm nội dung không khớp",
    "signature does not match": "chữ ký không khớp",
    "l= is longer than the body": "l= dài hơn nội dung thư",
    "rsa-sha1 proves nothing (RFC 8301)": "rsa-sha1 không còn giá trị chứng thực (RFC 8301)",
    "no key for signature": "không có khóa công khai của chữ ký",
    "name of the key is too long": "tên của khóa quá dài",
    "key look-up: {reason~}": "tra cứu khóa: {reason}",
    "key record: {flaw~}": "bản ghi khóa: {flaw}",
    "key record too long": "bản ghi khóa quá dài",
    "key record version": "bản ghi khóa sai phiên bản",
    "key record without p=": "bản ghi khóa thiếu p=",
    "key revoked": "khóa đã bị thu hồi",
    "key is not for email": "khóa không dùng cho thư điện tử",
    "Ed25519 key is not 32 octets": "khóa Ed25519 không dài 32 byte",
    "unknown key type": "không rõ loại khóa",
    "RSA key syntax": "sai cú pháp khóa RSA",
    "not an RSA key": "không phải khóa RSA",
    "RSA key of {bits} bits is too weak (RFC 8301)": "khóa RSA {bits} bit quá yếu (RFC 8301)",
    "RSA key larger than {bits} bits": "khóa RSA lớn hơn {bits} bit",
    "a= does not fit the type of the key": "a= không phù hợp với loại khóa",
    "the key does not allow sha256": "khóa không cho phép sha256",
    "the key does not allow subdomains in i=": "khóa không cho phép tên miền con trong i=",
    "more than {count} octets": "dài quá {count} byte",
    "tag list syntax": "sai cú pháp danh sách thẻ",
    "tag name syntax": "sai cú pháp tên thẻ",
    "{tag} is missing": "thiếu {tag}",
    "{tag} is not base64": "{tag} không phải base64",
    "{tag} is not a number": "{tag} không phải là số",
    "{tag} is not a domain name": "{tag} không phải là tên miền",
    "{tag} is not an address": "{tag} không phải là địa chỉ",
    "{tag} has the wrong length": "{tag} sai độ dài",
    "unknown algorithm": "không rõ thuật toán",
    "unknown canonicalization": "không rõ cách chuẩn hóa",
    "unknown version": "không rõ phiên bản",
    "unknown query method": "không rõ cách tra cứu khóa",
    "more than {count} names in h=": "h= có quá {count} tên",
    "x= is not after t=": "x= không sau t=",
    "From is not signed": "chữ ký không bao gồm trường From",
    "i= is not under d=": "i= không thuộc d=",
}

_ARC: Final[Mapping[str, str]] = {
    "no ARC set": "không có bộ ARC",
    "more than {count} ARC sets": "có quá {count} bộ ARC",
    "ARC sets are not complete, or an instance comes twice": "các bộ ARC không đầy đủ hoặc có bộ bị trùng",
    "ARC-Authentication-Results does not start with its instance": "ARC-Authentication-Results không mở đầu bằng số thứ tự",
    "body hash of the newest ARC-Message-Signature does not match": (
        "mã băm nội dung trong ARC-Message-Signature mới nhất không khớp"
    ),
    "the newest ARC-Message-Signature does not match": "ARC-Message-Signature mới nhất không khớp",
    "ARC-Seal {number} does not match": "ARC-Seal {number} không khớp",
    "{chain} in seal {number}": "dấu niêm phong {number} ghi {chain}",
    "{tag} is not an instance": "{tag} không phải là số thứ tự",
    "h= names ARC-Seal": "h= nêu cả ARC-Seal",
    "h= in a seal": "dấu niêm phong có h=",
    "cv= syntax": "sai cú pháp cv=",
}

_SPF: Final[Mapping[str, str]] = {
    "no SPF record": "không có bản ghi SPF",
    "no domain to ask": "không có tên miền để tra cứu",
    "SPF evaluation": "không xét được SPF",
    "SPF evaluation: {error}": "không xét được SPF: {error}",
    "SPF Temporary Error: {reason~}": "lỗi SPF tạm thời: {reason}",
    "SPF Permanent Error: {reason~}": "bản ghi SPF có lỗi: {reason}",
    "Too many DNS lookups": "quá nhiều lần tra cứu DNS",
    "Too many levels of recursion": "tham chiếu lồng nhau quá sâu",
    "more than {count} DNS queries": "quá {count} câu hỏi DNS",
    "more than {count} MX records": "quá {count} bản ghi MX",
    "macro syntax": "macro sai cú pháp",
    "more than {count} void look-ups": "quá {count} lần tra cứu DNS không có kết quả",
    "Two or more type TXT spf records found.": "có từ hai bản ghi SPF trở lên",
    "Unknown mechanism found: {term*}": "cơ chế lạ: {term}",
    "Unknown qualifier, RFC 4408 para 4.6.1, found in: {term*}": "dấu lạ trước cơ chế: {term}",
    "Invalid IP4 address: {term*}": "địa chỉ IPv4 không hợp lệ: {term}",
    "Invalid IP6 address: {term*}": "địa chỉ IPv6 không hợp lệ: {term}",
    "Invalid IP4 CIDR length: {term*}": "độ dài tiền tố IPv4 không hợp lệ: {term}",
    "Invalid IP6 CIDR length: {term*}": "độ dài tiền tố IPv6 không hợp lệ: {term}",
    "Invalid domain found (use FQDN): {name*}": "tên miền không hợp lệ: {name}",
    "include has trivial recursion: {term*}": "include trỏ về chính nó: {term}",
    "include mechanism missing domain: {term*}": "include thiếu tên miền: {term}",
    "No valid SPF record for included domain: {term*}": "tên miền trong include không có bản ghi SPF: {term}",
    "redirect domain has no SPF record: {name*}": "tên miền trong redirect không có bản ghi SPF: {name}",
    "redirect= MUST appear at most once: {term*}": "redirect= chỉ được ghi một lần: {term}",
    "syntax error: {term*}": "sai cú pháp: {term}",
}

_DMARC: Final[Mapping[str, str]] = {
    "no DMARC record": "không có bản ghi DMARC",
    "the DMARC record has no valid policy": "bản ghi DMARC không có chính sách hợp lệ",
    "the Author Domain is no DNS name": "tên miền người gửi không phải tên DNS",
    "no aligned identifier passed": "không có căn cứ hợp lệ nào khớp với tên miền người gửi",
    "an identifier that may be aligned could not be checked": "có căn cứ có thể khớp nhưng chưa kiểm tra được",
    "whether the Author Domain exists could not be checked": "chưa kiểm tra được tên miền người gửi có tồn tại hay không",
}

_CLIENT: Final[Mapping[str, str]] = {
    "no PTR record": "không có bản ghi PTR",
    "no name of the client leads back to it": "không tên nào của máy gửi trỏ ngược về địa chỉ của nó",
    "DNS error for a name of the client": "lỗi DNS với một tên của máy gửi",
    "internal: {error}": "lỗi nội bộ: {error}",
}

_DNS: Final[Mapping[str, str]] = {
    "DNS {reason~} for {name} {type}": "tra cứu {type} của {name}: {reason}",
    "{reason~} for _dmarc.{name}": "tra cứu _dmarc.{name}: {reason}",
    "DNS error": "lỗi DNS",
    "error": "lỗi",
    "time-out": "quá thời gian chờ",
    "no answer in time": "không trả lời kịp thời",
    "no answer within the time for one message": "không trả lời trong thời gian dành cho một thư",
    "no name server answers": "không máy chủ DNS nào trả lời",
    "too many DNS questions for one message": "một thư cần quá nhiều câu hỏi DNS",
    "more than {count} CNAMEs": "quá {count} bản ghi CNAME nối tiếp",
    "more than {count} records or {size} octets": "quá {count} bản ghi hoặc {size} byte",
    "Could not contact DNS servers": "không liên hệ được máy chủ DNS",
    "Timeout while contacting DNS servers": "máy chủ DNS không trả lời kịp thời",
    "DNS server returned general failure": "máy chủ DNS báo lỗi (SERVFAIL)",
    "DNS server returned answer with no data": "máy chủ DNS trả lời không có dữ liệu",
    "DNS query cancelled": "câu hỏi DNS đã bị hủy",
    "DNS server refused query": "máy chủ DNS từ chối trả lời",
    "DNS server does not implement requested operation": "máy chủ DNS không hỗ trợ câu hỏi này",
    "DNS server claims query was misformatted": "máy chủ DNS cho rằng câu hỏi sai định dạng",
    "Misformatted DNS query": "câu hỏi DNS sai định dạng",
    "Misformatted DNS reply": "trả lời DNS sai định dạng",
    "Misformatted domain name": "tên miền sai định dạng",
}

EVIDENCE: Final[Mapping[str, str]] = {**_SIGNATURES, **_ARC, **_SPF, **_DMARC, **_CLIENT, **_DNS}
