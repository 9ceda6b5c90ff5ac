"""Identity and Submission as JSON and back."""

import json
from dataclasses import replace
from datetime import date

import pytest

from gateway.identity.codec import identity_from_plain, plain_identity, plain_submission, submission_from_plain
from gateway.identity.identity import Identity, Submission
from tests.support.identity_samples import dkim, identified, spf

DASHED = "moet-edu-vn.20230601.gappssmtp.com"
KNOWN = identified("Văn thư <c3tanan.longan@moet.edu.vn>", dkim=(dkim("pass", DASHED),), aligned_spf="moet.edu.vn",
                   spf_mailfrom=spf("pass", "moet.edu.vn", via="moet.edu.vn _spf.google.com"))  # fmt: skip


@pytest.mark.parametrize("identity", [KNOWN, identified("nobody@example.vn"), identified("a@x.vn, b@x.vn")])
def test_identity_round_trip(identity: Identity) -> None:
    assert identity_from_plain(json.loads(json.dumps(plain_identity(identity)))) == identity


def test_dates_and_proposals_survive() -> None:
    assert KNOWN.unit is not None
    assert KNOWN.proposals
    dated = replace(KNOWN, unit=replace(KNOWN.unit, valid_from=date(2010, 1, 2), valid_until=date(2026, 12, 31)))
    assert identity_from_plain(json.loads(json.dumps(plain_identity(dated)))) == dated
    assert plain_identity(dated)["unit"]["valid_from"] == "2010-01-02"


def test_submission_round_trip() -> None:
    one = Submission(True, ("recipient a@x.vn",), ("12/BC-THPT",), "BC")
    assert submission_from_plain(json.loads(json.dumps(plain_submission(one)))) == one


def test_what_is_no_identity_is_refused() -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        identity_from_plain({"author": None})
    with pytest.raises(ValueError, match="signd"):
        identity_from_plain(plain_identity(KNOWN) | {"level": "signd"})
