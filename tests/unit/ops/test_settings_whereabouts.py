"""Contradictions found with policies and keys name the setting's place too."""

from __future__ import annotations

from pathlib import Path

from gateway.settings.whereabouts import placed

TEXT = 'hostname = "mx.longan.edu.vn"\n[notice]\nroute = "none"   # no such route\n'


def test_a_setting_of_the_file_has_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(TEXT)
    sentence = "notice.route: the policy has no route none; there are: main"
    assert placed(sentence, file, {}) == f"{file}:3:9: {sentence}"


def test_a_variable_stands_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(TEXT)
    assert (
        placed("notice.route: x", file, {"GATEWAY_NOTICE__ROUTE": "none"}) == "GATEWAY_NOTICE__ROUTE: notice.route: x"
    )


def test_a_default_has_the_file_and_other_sentences_stay(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(TEXT)
    assert placed("store.url is no database URL: x", file, {}) == f"{file}: store.url is no database URL: x"
    assert placed("127.0.0.1:25: in use", file, {}) == "127.0.0.1:25: in use"
    assert placed("notice.route: x", tmp_path / "none.toml", {}) == "notice.route: x"
