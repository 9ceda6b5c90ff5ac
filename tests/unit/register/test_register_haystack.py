"""The text that the register is searched by: the same, whether its parts are folded each or all at once."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.envelope.folding import fold
from gateway.register.record import AttachmentRecord
from gateway.register.search import SHORT, haystack
from tests.support.store_samples import record

# letters with accents in both forms, marks without a letter, invisible and turning marks, line breaks, words
_TEXT = (
    st.text(st.sampled_from("aA đĐệo\u0302\u0301\u0323\u030a\u200b\u202e\u00ad\ufb01ßſΣς한\u1100\u1161ﾞ\n\r_9 "))
    | st.text()
)


@given(_TEXT, _TEXT, _TEXT, _TEXT, st.lists(_TEXT, max_size=3), st.lists(_TEXT, max_size=3))
@example("Báo cáo", "a@b.vn", "\u0301", "", [], [])
@example("x" * SHORT + "ệ", "a@b.vn", "Nguyễn", "", [], [])
def test_parts_fold_to_the_same_text_as_the_whole(
    subject: str, name: str, unit: str, function: str, numbers: list[str], names: list[str]
) -> None:
    one = record(
        subject=subject,
        author_name=name,
        unit_name=unit,
        function=function,
        document_numbers=tuple(numbers),
        attachments=tuple(AttachmentRecord(each, "application/pdf", 1, "") for each in names),
    )
    whole = "\n".join((subject, one.author, name, unit, function, *numbers, *names))
    assert haystack(one) == fold(whole)
