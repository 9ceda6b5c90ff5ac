"""What became of a message, in the words of an office; said from what was seen, not from what was expected."""

from __future__ import annotations

from gateway.demo import words
from gateway.demo.teller import Told
from gateway.demo.words import Language


def reason(rule: str, language: Language) -> str:
    """Why this rule holds mail; a rule of the reader's own goes by its name."""
    known = words.RULES.get(rule)
    return known.of(language) if known else rule


def what_happened(told: Told, language: Language) -> str:
    first, last = told.attempts[0], told.attempts[-1]
    if last.code != 250:
        return f"{words.REFUSED.of(language)}: {last.code} {last.text}"
    fates = {fate for _, fate, _ in told.seen.fates}
    parts = []
    for recipient, fate, rule in told.seen.fates:
        said = _fate(told, recipient, fate, rule, language)
        parts.append(f"{recipient.partition('@')[0]}: {_inside(said)}" if len(fates) > 1 else said)
    if "held" in fates:
        parts.append(_notice(told, language))
    text = "; ".join(dict.fromkeys(parts))
    return f"{words.DEFERRED.of(language)}: {_inside(text)}" if first.code == 451 else text


def unit_named(told: Told, language: Language) -> str:
    """The unit's name, or that there is none."""
    if told.record is None:
        return words.NOT_EXAMINED.of(language)
    return told.record.unit_name or words.NO_UNIT.of(language)


def how_proven(told: Told, language: Language) -> str:
    """The level in words."""
    said = words.LEVELS.get(told.seen.level, words.NOT_EXAMINED)
    return said.of(language).format(domain=told.story.letter.address.rpartition("@")[2])


def _inside(said: str) -> str:
    """As it is written inside a sentence."""
    return said[0].lower() + said[1:]


def _fate(told: Told, recipient: str, fate: str, rule: str, language: Language) -> str:
    if fate == "held":
        return f"{words.HELD.of(language)} ({reason(rule, language)})"
    if fate != "relayed":
        return fate
    relayed = words.RELAYED.of(language)
    if not told.seen.unit:
        return relayed
    tagged = words.TAGGED if recipient in told.seen.tagged else words.NOT_TAGGED
    return f"{relayed}, {tagged.of(language)}"


def _notice(told: Told, language: Language) -> str:
    if told.seen.notices:
        return words.NOTICE_SENT.of(language)
    word = told.record.notice.removeprefix("suppressed: ") if told.record else ""
    why = next((said for guard, said in words.NO_NOTICE_WHY.items() if word.startswith(guard)), words.NO_NOTICE)
    return why.of(language)
