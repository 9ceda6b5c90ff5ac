"""Make a virtual environment that was built in one folder fit for another: build.sh calls it with both paths.

Programs of libraries go (they have the building machine's path in their first line), and so do the files in which pip noted
where it was run; what is left is compiled for its final place.
"""

from __future__ import annotations

import compileall
import csv
import io
import py_compile
import shutil
import sys
from pathlib import Path

KEPT = {"python", "python3"}
NOTES = {"direct_url.json", "INSTALLER", "REQUESTED"}
UNUSED = ("aiosmtpd/docs", "aiosmtpd/qa", "aiosmtpd/tests", "sqlalchemy/testing")
PROGRAM = """\
#!{final}/bin/python3 -I
import sys

from gateway.cli import main

sys.exit(main())
"""


def main(built: Path, final: str) -> None:
    for program in (built / "bin").iterdir():
        if program.name not in KEPT:
            program.unlink()
    (built / "bin/gateway").write_text(PROGRAM.format(final=final))
    (built / "bin/gateway").chmod(0o755)
    (built / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {sys.version.split()[0]}\n"
    )
    (built / "lib64").unlink(missing_ok=True)
    (site,) = built.glob("lib/python3*/site-packages")
    for folder in (built / "include", built / "share/man", *(site / name for name in UNUSED)):
        shutil.rmtree(folder, ignore_errors=True)
    for information in site.glob("*.dist-info"):
        for name in NOTES:
            (information / name).unlink(missing_ok=True)
        _prune(information / "RECORD")
    good = compileall.compile_dir(
        str(built / "lib"),
        maxlevels=20,
        quiet=1,
        stripdir=str(built),
        prependdir=final,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,  # dpkg keeps the files; nothing need be compared
    )
    if not good:
        sys.exit("some modules cannot be compiled")


def _prune(record: Path) -> None:
    """Take out of pip's list what is not there; the gateway finds its sample policies by it."""
    rows = [row for row in csv.reader(io.StringIO(record.read_text())) if (record.parent.parent / row[0]).exists()]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    record.write_text(written.getvalue())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
