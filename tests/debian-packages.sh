#!/bin/sh
# Install the real servers that the tests run against: Postfix, and DNS servers. Their own services are not started.
set -eu
packages="postfix nsd unbound"
command -v apt-get >/dev/null || { echo "no apt-get here: tests that need $packages will be skipped" >&2; exit 0; }
missing=
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
sudo=
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || { echo "no root and no sudo: tests that need$missing will be skipped" >&2; exit 0; }
  sudo="sudo -n"
fi
echo "installing$missing"
made=
if [ ! -e /usr/sbin/policy-rc.d ]; then  # Debian asks this file whether a new package may start its service
  printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null
  $sudo chmod 755 /usr/sbin/policy-rc.d
  made=1
fi
trap '[ -z "$made" ] || $sudo rm -f /usr/sbin/policy-rc.d' EXIT
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
