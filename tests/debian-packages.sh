#!/bin/sh
# Install the real servers that the tests run against: Postfix, DNS servers, OpenDKIM with its miltertest, Prometheus. Their own
# services are not started. Sendmail cannot be installed beside Postfix: it is unpacked below build/sendmail instead.
# With the word "image": what `make image-test` needs, to build images, packages and Debian roots.
set -eu
packages="postfix nsd unbound opendkim opendkim-tools miltertest m4 haproxy prometheus zsh fish"
[ "${1:-}" != image ] || packages="buildah crun debootstrap systemd systemd-container dpkg-dev binutils lintian"
folder=$(cd "$(dirname "$0")/.." && pwd)/build/sendmail

command -v apt-get >/dev/null || { echo "no apt-get here: tests that need $packages will be skipped" >&2; exit 0; }
sudo=
if [ "$(id -u)" != 0 ]; then sudo="sudo -n"; fi
updated=
update() {
  [ -n "$updated" ] || $sudo apt-get update -qq || return 1
  updated=1
}
is_installed() {
  dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

install_packages() {
  missing=
  for package in $packages; do
    is_installed "$package" || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  if [ -n "$sudo" ] && ! $sudo true 2>/dev/null; then
    echo "no root and no sudo: tests that need$missing will be skipped" >&2
    return 0
  fi
  echo "installing$missing"
  made=
  if [ ! -e /usr/sbin/policy-rc.d ]; then  # Debian asks this file whether a new package may start its service
    printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null
    $sudo chmod 755 /usr/sbin/policy-rc.d
    made=1
  fi
  trap '[ -z "$made" ] || $sudo rm -f /usr/sbin/policy-rc.d' EXIT
  update
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# The packages themselves, and those libraries of theirs that this system has not: never installed, only unpacked.
download() {
  wanted="sendmail-bin sendmail-base sendmail-cf"
  for library in $(apt-cache depends sendmail-bin | sed -n 's/^ *Depends: \(lib.*\)$/\1/p'); do
    is_installed "$library" || wanted="$wanted $library"
  done
  # shellcheck disable=SC2086
  (cd "$folder/deb" && apt-get download -qq $wanted >/dev/null 2>"$folder/log")
}

unpack_sendmail() {
  [ ! -e "$folder/complete" ] || return 0
  echo "unpacking Sendmail into $folder"
  rm -rf "$folder"
  mkdir -p "$folder/deb"
  if ! download && { ! update || ! download; }; then
    cat "$folder/log" >&2
    echo "no Sendmail to be had here: tests that need it will be skipped" >&2
    return 0
  fi
  for package in "$folder"/deb/*.deb; do dpkg -x "$package" "$folder/root"; done
  rm -r "$folder/deb" "$folder/log"
  chmod g-s "$folder/root/usr/libexec/sendmail/sendmail"  # the loader ignores LD_LIBRARY_PATH of set-group-id programs
  touch "$folder/complete"
}

install_packages
[ "${1:-}" = image ] || unpack_sendmail
