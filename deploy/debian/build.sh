#!/bin/sh
# Build mail-gateway_VERSION_ARCH.deb with dpkg's own tools: a virtual environment of hash-locked packages for this Debian's
# python3, with units, settings and policies around it. Needs no root. usage: build.sh [DIRECTORY]   (default: build/deb)
# DEB_VERSION: another version than pyproject.toml's. SOURCE_DATE_EPOCH: the date of all files, for repeatable packages.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
mkdir -p "${1:-$source/build/deb}"
out=$(cd "${1:-$source/build/deb}" && pwd)
python=/usr/bin/python3  # the package runs on Debian's, so it is built for that
home=/usr/lib/mail-gateway
version=${DEB_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' "$source/pyproject.toml")}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$source" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
for tool in dpkg-deb dpkg-shlibdeps strip; do
  command -v $tool >/dev/null || { echo "$tool is missing: apt-get install dpkg-dev binutils" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
venv=$root$home

# The gateway itself is installed from a copy: setuptools leaves files behind, and takes up those of earlier builds.
environment() {
  [ -x "$out/builder/bin/pip" ] || sh "$source/tests/make-venv.sh" "$python" "$out/builder"
  mkdir "$work/source"
  (cd "$source" && cp -r gateway policies pyproject.toml README.md LICENSE "$work/source")
  find "$work/source" -name __pycache__ -prune -exec rm -r {} +
  "$python" -m venv --without-pip "$venv"
  pip install --no-compile --require-hashes -r "$source/requirements/run.txt"
  pip install --no-compile --no-deps --no-build-isolation --no-index "$work/source"
  pip uninstall --yes setuptools  # only needed to build
  "$python" "$here/relocate.py" "$venv" "$home"
  find "$venv" -name '*.so*' -type f -exec strip --strip-unneeded {} + 2>/dev/null || true
}

pip() {
  "$out/builder/bin/pip" --python "$venv/bin/python" --quiet --disable-pip-version-check "$@"
}

# put MODE FILE PLACE: one file of the package.
put() {
  install -D -m "$1" "$2" "$root$3"
}

files() {
  put 755 "$here/gateway.sh" /usr/bin/gateway
  for unit in "$source"/deploy/systemd/gateway*.s*; do put 644 "$unit" "/lib/systemd/system/$(basename "$unit")"; done
  put 644 "$source/deploy/systemd/sysusers.conf" /usr/lib/sysusers.d/mail-gateway.conf
  put 644 "$source/deploy/systemd/tmpfiles.conf" /usr/lib/tmpfiles.d/mail-gateway.conf
  put 644 "$source/deploy/logrotate/mail-gateway" /etc/logrotate.d/mail-gateway
  mkdir -p "$root/etc/gateway"
  sed 's|^state = "var"   |state = "/var/lib/gateway"|' "$source/deploy/gateway.toml" >"$root/etc/gateway/gateway.toml"
  grep -q '^state = "/var/lib/gateway"' "$root/etc/gateway/gateway.toml"
  cp -r "$source/policies" "$root/etc/gateway/policies"
  documents
}

documents() {
  doc=/usr/share/doc/mail-gateway
  put 644 "$here/copyright" $doc/copyright
  put 644 "$here/README.Debian" $doc/README.Debian
  put 644 "$source/CHANGELOG.md" $doc/NEWS.md
  put 644 "$here/lintian-overrides" /usr/share/lintian/overrides/mail-gateway
  put 644 "$source/deploy/systemd/logging.conf.example" $doc/examples/logging.conf
  for kind in postfix sendmail; do
    for file in "$source/deploy/$kind"/*; do put 644 "$file" "$doc/examples/$kind/$(basename "$file")"; done
  done
  {
    echo "mail-gateway ($version) bookworm; urgency=medium"
    printf '\n  * What changes for postmasters is in NEWS.md.\n\n'
    echo " -- Mail gateway <mail-gateway@example.org>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")"
  } | gzip -9n >"$root$doc/changelog.gz"
  for page in "$source"/docs/man/*.1 "$source"/docs/man/*/*.1; do
    [ -e "$page" ] || continue
    tongue=$(basename "$(dirname "$page")")
    [ "$tongue" != man ] || tongue=
    put 644 "$page" "/usr/share/man/$tongue/man1/$(basename "$page")"
    gzip -9n "$root/usr/share/man/$tongue/man1/$(basename "$page")"
  done
  shell_completion bash /usr/share/bash-completion/completions/gateway
  shell_completion zsh /usr/share/zsh/vendor-completions/_gateway
  shell_completion fish /usr/share/fish/vendor_completions.d/gateway.fish
}

# Where this version of the program can write one.
shell_completion() {
  if (cd / && "$venv/bin/python" -I "$venv/bin/gateway" completion "$1") >"$work/completion" 2>/dev/null; then
    put 644 "$work/completion" "$2"
  fi
}

# What the compiled parts of the wheels need of the system, by dpkg's own reckoning.
libraries() {
  mkdir -p "$work/shlibs/debian"
  printf 'Source: mail-gateway\n\nPackage: mail-gateway\nArchitecture: any\n' >"$work/shlibs/debian/control"
  find "$venv" -name '*.so*' -type f >"$work/objects"
  bundled=$(sed 's|/[^/]*$||' "$work/objects" | sort -u | sed 's|^|-l|')
  # shellcheck disable=SC2046,SC2086
  (cd "$work/shlibs" && dpkg-shlibdeps -O --ignore-missing-info $bundled $(cat "$work/objects") 2>/dev/null) |
    sed 's/^shlibs:Depends=//'
}

control() {
  mkdir -p "$root/DEBIAN"
  minor=$("$python" -c 'import sys; print(sys.version_info[1])')
  sed -e "s|@VERSION@|$version|" -e "s|@ARCHITECTURE@|$(dpkg --print-architecture)|" \
    -e "s|@SIZE@|$(du -k -s --apparent-size "$root" | cut -f1)|" -e "s|@LIBRARIES@|$(libraries)|" \
    -e "s|@PYTHON@|python3 (>= 3.$minor), python3 (<< 3.$((minor + 1)))|" "$here/control.in" >"$root/DEBIAN/control"
  for script in postinst prerm postrm; do install -m 755 "$here/$script" "$root/DEBIAN/$script"; done
  (cd "$root" && find etc -type f | sort | sed 's|^|/|') >"$root/DEBIAN/conffiles"
  (cd "$root" && find . -path ./DEBIAN -prune -o -path ./etc -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) \
    >"$root/DEBIAN/md5sums"
}

environment
files
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
control
package=$out/mail-gateway_${version}_$(dpkg --print-architecture).deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
