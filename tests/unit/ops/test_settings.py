"""gateway.toml and GATEWAY_* variables: what is read, and how everything wrong is told at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.settings import Address, DnsSettings, Settings, SettingsError, advice, load_settings, parse_listen

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "gateway.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems(path: Path | None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load_settings(path, environ or {})
    return [problem.replace(f"{path.parent}/" if path else "", "") for problem in raised.value.problems]


def test_without_a_file_the_defaults_are_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, {})
    assert settings.smtp == Settings().smtp
    assert settings.policies == tmp_path / "policies"


def test_the_file_of_the_working_directory_is_read_without_naming_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gateway.toml").write_text("workers = 3\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}).workers == 3


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    assert problems(tmp_path / "gateway.toml") == ["gateway.toml: no such file; write it, or start without naming one"]


def test_values_are_read_and_paths_are_relative_to_the_file(file: Callable[[str], Path], tmp_path: Path) -> None:
    path = file(
        """
hostname = "mx.longan.edu.vn"
state = "var/lib"
policies = "/etc/gateway/policies"
[smtp]
listen = ["[::1]:2525", "127.0.0.1:2525"]
proxy_from = ["192.0.2.0/24", "2001:db8::1"]
max_size = "20 MiB"
[notice]
from = "Sở GD&ĐT Long An <vanthu@longan.edu.vn>"
"""
    )
    settings = load_settings(path, {})
    assert settings.state == tmp_path / "var/lib"
    assert settings.policies == Path("/etc/gateway/policies")
    assert settings.smtp.listen == ("[::1]:2525", "127.0.0.1:2525")
    assert settings.smtp.proxy_from == (ip_network("192.0.2.0/24"), ip_network("2001:db8::1/128"))
    assert settings.smtp.max_size == 20 * 1024 * 1024
    assert settings.notice.sender == "Sở GD&ĐT Long An <vanthu@longan.edu.vn>"


@pytest.mark.parametrize(
    ("cores", "doors", "workers"),
    [
        (4, {"smtp": ["127.0.0.1:2525"]}, 4),
        (4, {"smtp": [], "milter": ["127.0.0.1:8891"]}, 4),  # the mail server may be on another machine
        (4, {"smtp": [], "milter": ["unix:/run/gateway/milter.sock"]}, 2),
        (3, {"smtp": [], "milter": ["unix:/run/gateway/milter.sock"]}, 1),
        (1, {"smtp": [], "milter": ["unix:/run/gateway/milter.sock"]}, 1),
        (4, {"smtp": ["127.0.0.1:2525"], "milter": ["unix:/run/gateway/milter.sock"]}, 4),
        (4, {"smtp": ["unix:/run/gateway/smtp.sock"]}, 2),
    ],
)
def test_workers_leave_room_for_a_mail_server_on_the_same_machine(
    cores: int, doors: dict[str, list[str]], workers: int
) -> None:
    tables = {door: {"listen": listen} for door, listen in doors.items()}
    assert Settings.model_validate(tables).workers_on(cores) == workers
    assert Settings.model_validate({**tables, "workers": 3}).workers_on(cores) == 3


def test_the_sample_in_deploy_is_valid_and_tells_the_defaults() -> None:
    settings = load_settings(REPOSITORY / "deploy/gateway.toml", {})
    default = Settings()
    assert settings.model_copy(update={"state": default.state, "policies": default.policies}) == default


def test_every_problem_is_told_at_once_with_its_line(file: Callable[[str], Path]) -> None:
    path = file(
        '''# comment
hostname = "mx longan"
workers = "many"
statee = "var"

[smtp]
listen = ["127.0.0.1", "[::1]:2525"]
proxy_from = ["192.0.2.1/24"]
max_size = "fifty"
bare_newlines = "allow"
max_recipients = 5

[notice]
window_days = 0
enabled = "maybe"
text = """
max_size = "not a key"
"""

[dns]
nameservers = ["dns.longan.edu.vn"]

[mail]
max_size = 1
'''
    )
    assert problems(path) == [
        "gateway.toml:2:12: hostname: value 'mx longan': not a host name; write the name of this server in DNS, such as"
        ' "mx.longan.edu.vn"',
        "gateway.toml:3:11: workers: value 'many': not a whole number; write digits only",
        "gateway.toml:4:1: statee: unknown key; did you mean state?",
        "gateway.toml:7:10: smtp.listen: value '127.0.0.1': not an address to listen at; write host:port, such as"
        ' "127.0.0.1:2525" or "[::1]:2525", or "unix:/run/gateway/milter.sock"',
        "gateway.toml:8:14: smtp.proxy_from: value '192.0.2.1/24': an address inside a network; write \"192.0.2.0/24\" for"
        " all of it, or the address alone",
        "gateway.toml:9:12: smtp.max_size: value 'fifty': not a size; write octets, or a number with its unit such as"
        ' "50 MiB"',
        "gateway.toml:10:17: smtp.bare_newlines: value 'allow': not one of the choices; write 'refuse' or 'log'",
        "gateway.toml:11:18: smtp.max_recipients: value '5': too small; write 100 or more",
        "gateway.toml:14:15: notice.window_days: value '0': too small; write 1 or more",
        "gateway.toml:15:11: notice.enabled: value 'maybe': neither true nor false; write one of them, without quotes",
        "gateway.toml:16:1: notice.text: unknown key; known are from, route, dkim_selector, dkim_domain, dkim_key,"
        " window_days, per_sender_day, per_domain_hour, per_hour, enabled, dry_run",
        "gateway.toml:21:15: dns.nameservers: value 'dns.longan.edu.vn': not a name server; write its IP address, with a"
        ' port if it is not 53: "127.0.0.1:5353"',
        "gateway.toml:23:2: mail: unknown key; known are hostname, policies, state, workers, timezone, drain, smtp,"
        " milter, dns, store, relay, notice, http",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[smtp]\nmax_sise = 1", "gateway.toml:2:1: smtp.max_sise: unknown key; did you mean max_size?"),
        ("max_size = 1", "gateway.toml:1:1: max_size: unknown key here; it belongs into [smtp]"),
        ("smtp.max_line = 1", "gateway.toml:1:17: smtp.max_line: value '1': too small; write 1000 or more"),
        (
            "drain = 1\n[smtp]\nlisten = []",
            "gateway.toml:3:10: smtp.listen: there is no door for mail; give [smtp] listen",
        ),
        (
            "[milter]\nlisten = ['127.0.0.1:2525']",
            "gateway.toml:2:10: milter.listen: 127.0.0.1:2525 is also listened at by",
        ),
        (
            "[milter]\ninternal = ['10.0.0.1/8']",
            "gateway.toml:2:12: milter.internal: value '10.0.0.1/8': an address inside",
        ),
        ("smtp = 25", "gateway.toml:1:8: smtp: value '25': not a table; write [smtp] on a line of its own"),
        ("\n[smtp]\nlisten = '127.0.0.1:25'", "gateway.toml:3:10: smtp.listen: value '127.0.0.1:25': not a list"),
        ("timezone = 'Asia/Long_An'", "gateway.toml:1:12: timezone: value 'Asia/Long_An': no such time zone"),
        ('hostname = "a\\nb"', "gateway.toml:1:12: hostname: value 'a\\nb': not a host name"),
        ("[smtp]\nlisten = ['unix:run/m']", "gateway.toml:2:10: smtp.listen: value 'unix:run/m': the path of a Unix"),
        ("a = 1\nb = \n", "gateway.toml:2:5: not TOML: Invalid value; text stands in quotes"),
        ("[smtp", "gateway.toml:1:6: not TOML: Expected ']' at the end of a table declaration; text"),
        ('a = """\n', "gateway.toml:2: not TOML: Unterminated string at the end of the file"),
        ("[smtp]\nlisten = []\nlisten = []", "gateway.toml:3:12: not TOML: Cannot overwrite a value"),
        (
            "drain = 1\n[smtp]\n[http]\nlisten = '127.0.0.1:2525'",
            "gateway.toml:4:10: http.listen: 127.0.0.1:2525 is also",
        ),
    ],
)
def test_each_mistake_has_its_sentence(file: Callable[[str], Path], text: str, problem: str) -> None:
    (only,) = problems(file(text))
    assert only.startswith(problem)


VIETNAMESE = """
hostname = "mx longan"
workers = "many"
statee = "var"
max_size = 1
[smtp]
listen = "127.0.0.1"
bare_newlines = "allow"
certificate = "gone.pem"
key = "gone.key"
[dns]
timeout = 0
"""


def test_every_problem_is_told_in_vietnamese_too(file: Callable[[str], Path]) -> None:
    """The same places, keys and values; the sentences for the people at the terminal (the log stays English)."""
    with pytest.raises(SettingsError) as raised:
        load_settings(file(VIETNAMESE), {"GATEWAY_WORKERS": "0", "GATEWAY_TIMEZONE": "Asia/Long_An"})
    english, vietnamese = raised.value.texts("en"), raised.value.texts("vi")
    assert english == raised.value.problems
    assert [line.split(": ")[:2] for line in vietnamese] == [line.split(": ")[:2] for line in english]
    told = "\n".join(vietnamese)
    for words in (
        "GATEWAY_WORKERS: workers: giá trị '0': quá nhỏ; hãy viết 1 hoặc lớn hơn",
        "GATEWAY_TIMEZONE: timezone: giá trị 'Asia/Long_An': máy này không biết múi giờ đó",
        "gateway.toml:2:12: hostname: giá trị 'mx longan': không phải tên máy chủ",
        "gateway.toml:4:1: statee: không có khóa này; có phải ý muốn viết là state?",
        "gateway.toml:5:1: max_size: khóa này không thuộc chỗ này mà thuộc bảng [smtp]",
        "gateway.toml:7:10: smtp.listen: giá trị '127.0.0.1': không phải danh sách",
        "gateway.toml:8:17: smtp.bare_newlines: giá trị 'allow': không thuộc các giá trị được chọn; hãy viết 'refuse'"
        " hoặc 'log'",
        "không có tệp hoặc thư mục này; hãy sửa đường dẫn",
        "gateway.toml:12:11: dns.timeout: giá trị '0': quá nhỏ; hãy viết số lớn hơn 0",
    ):
        assert words in told, told


@pytest.mark.parametrize(
    "text", ["a = \n", "[smtp", 'a = """', "a", "[a]\n[a]", "a = 1\na = 2", "a = [1", "= 1", 'a = "\\x"']
)
def test_what_is_no_toml_is_told_in_vietnamese_too(file: Callable[[str], Path], text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(file(text), {})
    [said] = raised.value.texts("vi")
    assert ": không đúng cú pháp TOML: " in said
    [english] = raised.value.problems
    assert english.split("not TOML: ")[1].split(";")[0] not in said


@pytest.mark.parametrize(
    "doors", ["[smtp]\nlisten = []\n[milter]\nlisten = ['127.0.0.1:0']", "[milter]\nlisten = ['127.0.0.1:0']"]
)
def test_any_set_of_doors_but_the_empty_one(file: Callable[[str], Path], doors: str) -> None:
    assert load_settings(file(doors), {}).milter.listen == ("127.0.0.1:0",)


@pytest.mark.parametrize(
    ("door", "problem"),
    [
        (
            "[militer]\nlisten = ['unix:/run/gateway/milter.sock']",
            "gateway.toml:3:2: militer: unknown key; did you mean",
        ),
        ("[milter]\nlistn = ['unix:/run/gateway/milter.sock']", "gateway.toml:4:1: milter.listn: unknown key; did you"),
        ("[milter]\nlisten = 'unix:/run/gateway/milter.sock'", "gateway.toml:4:10: milter.listen: value 'unix:/run"),
        (
            "[milter]\nlisten = ['inet:8891@127.0.0.1']",
            "gateway.toml:4:10: milter.listen: value 'inet:8891@127.0.0.1': not",
        ),
        (f"[milter]\nlisten = ['unix:/{'a' * 107}']", "gateway.toml:4:10: milter.listen: value 'unix:/a"),
    ],
)
def test_a_door_that_is_misspelt_is_not_called_missing_too(
    file: Callable[[str], Path], door: str, problem: str
) -> None:
    """One mistake, one sentence: what is asked to be mended is where the mistake is."""
    [only] = problems(file(f"[smtp]\nlisten = []\n{door}\n"))
    assert only.startswith(problem)


@pytest.mark.parametrize(
    ("milter", "words"),
    [
        ("listen = ['0.0.0.0:8891']", ["milter.listen: 0.0.0.0:8891 can be reached from other hosts"]),
        ("listen = ['203.0.113.25:8891', '[::]:8891']", ["milter.listen: 203.0.113.25", "milter.listen: [::]:8891"]),
        ("listen = [':8891']", ["milter.listen: :8891 can be reached from other hosts"]),
        ("listen = ['mx.longan.edu.vn:8891']", ["milter.listen: mx.longan.edu.vn:8891 can be reached"]),
        ("listen = ['127.0.0.1:8891', '[::1]:8891', 'localhost:8892', 'unix:/run/gateway/milter.sock']", []),
        ("listen = ['127.0.0.1:8891']\nmax_size = '8 MiB'", ["milter.max_size: 8388608 octets are less than Postfix"]),
        ("listen = ['127.0.0.1:8891']\nmax_size = '9 GiB'", ["milter.max_size: 9663676416 octets: mail is deferred"]),
        ("listen = ['127.0.0.1:8891']\nmax_size = 10240000", []),
        ("listen = ['127.0.0.1:8891']\ninternal = ['0.0.0.0/0', '10.0.0.0/8']", ["milter.internal: 0.0.0.0/0 holds"]),
        ("max_size = '1 MiB'\ninternal = ['::/0']", []),  # there is no such door
    ],
)
def test_dangerous_settings_of_the_milter_are_told(file: Callable[[str], Path], milter: str, words: list[str]) -> None:
    """S-34: the milter's port is not for the public; mail of strangers does not pass unseen."""
    found = advice(load_settings(file(f"[milter]\n{milter}\n"), {}))
    assert len(found) == len(words)
    for sentence, word in zip(found, words, strict=True):
        assert sentence.startswith(word)
        assert sentence.text("vi").split(": ")[0] == sentence.split(": ")[0]
        assert sentence.text("vi") != sentence


@pytest.mark.parametrize("folder", ["postfix", "sendmail"])
def test_the_shipped_settings_of_the_milter_need_no_advice(folder: str) -> None:
    assert advice(load_settings(REPOSITORY / "deploy" / folder / "gateway.toml", {})) == []


def test_a_file_in_another_encoding_is_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes("hostname = 'mx'\n# Sở\n".encode("utf-16-le"))
    path.write_bytes(b"hostname = 'mx'\n# S\xf2\n")
    assert problems(path) == ["gateway.toml:2: not UTF-8; save the file as UTF-8"]


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(b"\xef\xbb\xbfworkers = 2\r\n")
    assert load_settings(path, {}).workers == 2


def test_passwords_are_not_repeated(file: Callable[[str], Path]) -> None:
    """S-44: no credentials in what people paste into tickets."""
    (problem,) = problems(file("[dns]\nnameservers = ['postgresql://gateway:bimat@db.longan.edu.vn/x']"))
    assert "bimat" not in problem


@pytest.mark.parametrize(
    ("variables", "read"),
    [
        (
            {"GATEWAY_SMTP__LISTEN": '["127.0.0.1:25", "[::1]:25"]'},
            lambda s: s.smtp.listen == ("127.0.0.1:25", "[::1]:25"),
        ),
        (
            {"GATEWAY_SMTP__LISTEN": "127.0.0.1:25, 127.0.0.2:25"},
            lambda s: s.smtp.listen == ("127.0.0.1:25", "127.0.0.2:25"),
        ),
        ({"GATEWAY_SMTP__LISTEN": "127.0.0.1:25"}, lambda s: s.smtp.listen == ("127.0.0.1:25",)),
        ({"GATEWAY_SMTP__PROXY_FROM": "192.0.2.0/24"}, lambda s: s.smtp.proxy_from == (ip_network("192.0.2.0/24"),)),
        ({"GATEWAY_SMTP__MAX_SIZE": "10 MiB"}, lambda s: s.smtp.max_size == 10 * 1024 * 1024),
        ({"gateway_workers": "7"}, lambda s: s.workers == 7),
        ({"GATEWAY_NOTICE__ENABLED": "false"}, lambda s: s.notice.enabled is False),
        ({"GATEWAY_NOTICE__FROM": "VP <vp@longan.edu.vn>"}, lambda s: s.notice.sender == "VP <vp@longan.edu.vn>"),
        ({"GATEWAY_HTTP__LISTEN": ""}, lambda s: s.http.listen == ""),
        ({"GATEWAY_DNS": '{"timeout": 2}'}, lambda s: s.dns == DnsSettings(timeout=2, nameservers=("127.0.0.1",))),
        ({"GATEWAY_PORT": "tcp://192.0.2.1:25", "GATEWAY_SERVICE_HOST": "192.0.2.1"}, lambda s: s.workers == 2),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_variables_go_over_the_file(
    file: Callable[[str], Path], variables: dict[str, str], read: Callable[[Settings], bool]
) -> None:
    path = file("workers = 2\n[dns]\nnameservers = ['127.0.0.1']\n[smtp]\nlisten = ['127.0.0.1:2525']\n")
    assert read(load_settings(path, variables))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("GATEWAY_SMTP__LISTEN", "localhost", "smtp.listen: value 'localhost': not an address to listen at"),
        ("GATEWAY_SMTP__LISTN", "127.0.0.1:25", "smtp.listn: unknown key; did you mean listen?"),
        ("GATEWAY_WORKRS", "2", "workrs: unknown key; did you mean workers?"),
        ("GATEWAY_MAIL__LISTEN", "2", "mail: unknown key; known are hostname"),
        ("GATEWAY_WORKERS", "0", "workers: value '0': too small; write 1 or more"),
        ("GATEWAY_SMTP", "25", "smtp: value '25': not a table"),
    ],
)
def test_the_variable_is_named_as_the_place(file: Callable[[str], Path], name: str, value: str, problem: str) -> None:
    (only,) = problems(file("workers = 2\n[smtp]\nmax_recipients = 200\n"), {name: value})
    assert only.startswith(f"{name}: {problem}")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    for name in ("one", "two"):
        subject = ["-subj", f"/CN=mx-{name}.longan.edu.vn", "-days", "2", "-nodes"]
        out = ["-keyout", str(directory / f"{name}.key"), "-out", str(directory / f"{name}.pem")]
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        subprocess.run([*make, *subject, *out], check=True, capture_output=True)
    return directory


def tls(directory: Path, certificate: str, key: str) -> str:
    lines = [f'{name} = "{directory / value}"' for name, value in (("certificate", certificate), ("key", key)) if value]
    return "\n".join(["[smtp]", *lines])


def test_a_certificate_and_its_key_are_accepted(file: Callable[[str], Path], certificates: Path) -> None:
    assert load_settings(file(tls(certificates, "one.pem", "one.key")), {}).smtp.key == certificates / "one.key"


@pytest.mark.parametrize(
    ("certificate", "key", "problem"),
    [
        ("one.pem", "", "gateway.toml:2:15: smtp.certificate: there is no key beside it"),
        ("", "one.key", "gateway.toml:2:7: smtp.key: there is no certificate beside it"),
        ("gone.pem", "one.key", "cannot be read: No such file or directory; correct the path"),
        ("one.pem", "two.key", "do not work together: KEY_VALUES_MISMATCH"),
        ("one.key", "one.key", "do not work together"),
    ],
)
def test_certificates_that_cannot_work_are_told_before_the_start(
    file: Callable[[str], Path], certificates: Path, certificate: str, key: str, problem: str
) -> None:
    (only,) = problems(file(tls(certificates, certificate, key)))
    assert problem in only


def test_contradictions_are_told_beside_wrong_values(file: Callable[[str], Path]) -> None:
    path = file('workers = 0\n[notice]\ndkim_selector = "gw1"\n[store]\nkey_file = "short.key"\n')
    (path.parent / "short.key").write_text("00ff\n")
    told = problems(path)
    assert [problem.split(": ")[1] for problem in told] == ["workers", "notice.dkim_selector", "store.key_file"]
    assert [problem.split(": ")[0] for problem in told] == [
        "gateway.toml:1:11",
        "gateway.toml:3:17",
        "gateway.toml:5:12",
    ]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:2525", Address("127.0.0.1", 2525)),
        ("[::1]:25", Address("::1", 25)),
        ("mx.longan.edu.vn:25", Address("mx.longan.edu.vn", 25)),
        (":25", Address("0.0.0.0", 25)),
        ("unix:/run/gateway/smtp.sock", Address(path="/run/gateway/smtp.sock")),
    ],
)
def test_addresses_to_listen_at(text: str, address: Address) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize("text", ["", "25", "127.0.0.1", "::1:25", "[::g]:25", "127.0.0.1:66000", "a b:25", "unix:x"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_listen(text)


def test_importing_settings_does_not_load_what_only_variables_need() -> None:
    code = "import sys, gateway.settings; sys.exit('pydantic_settings' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
