#!/bin/sh
# Make a root folder of nothing but the named Debian packages and the libraries that they need: no shell, no apt, no perl.
# usage: root.sh FOLDER PACKAGE...
# Package scanners find what is inside in var/lib/dpkg/status.d, as in other images without dpkg.
set -eu
root=$1
shift
unwanted="dpkg tar debconf"  # asked for by maintainer scripts only, which are not run here
debs=$(mktemp -d)
: >"$debs/status"
mkdir -p "$debs/partial" "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" \
  "$root/var/lib/dpkg/status.d" "$root/etc" "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp"
chmod 1777 "$root/tmp"
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done

# with an empty list of installed packages apt fetches everything that these need
apt-get install -y -qq --no-install-recommends --download-only \
  -o APT::Sandbox::User=root -o Dir::State::status="$debs/status" -o Dir::Cache::archives="$debs" "$@" >/dev/null
for deb in "$debs"/*.deb; do
  name=$(dpkg-deb -f "$deb" Package)
  case " $unwanted " in *" $name "*) continue ;; esac
  dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root"
  dpkg-deb -f "$deb" >"$root/var/lib/dpkg/status.d/$name"
done
rm -r "$debs"

# licences stay; manuals, translations and what other programs read do not
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root/usr/share/doc" -type d -empty -delete
for folder in man info locale lintian bash-completion menu pixmaps applications bug gcc gdb binfmts doc-base readline; do
  rm -rf "$root/usr/share/$folder"
done
rm -rf "$root/etc/init.d" "$root/etc/default" "$root/etc/cron.daily" "$root/etc/gss" "$root/var/cache" "$root/usr/lib/valgrind" "$root/usr/lib/binfmt.d"
ldconfig -r "$root"

cp /etc/os-release "$root/etc/os-release"
mkdir -p "$root/etc/ssl/certs"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
printf 'root:x:0:0:root:/:/nonexistent\ngateway:x:10025:10025:mail gateway:/var/lib/gateway:/nonexistent\n' >"$root/etc/passwd"
printf 'root:x:0:\ngateway:x:10025:\n' >"$root/etc/group"
