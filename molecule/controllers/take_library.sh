#!/usr/bin/env bash
# Remove python3-openssl from this host, and make a source of packages that has it, since there is no network.
set -euo pipefail
package=python3-openssl source=/var/cache/source
mkdir -p "$source/made/DEBIAN"
dpkg --listfiles $package | while read -r path; do
  [ -d "$path" ] || [ ! -e "$path" ] || cp --archive --parents "$path" "$source/made"
done
dpkg --status $package | sed '/^Status:/d; /^Conffiles:/,/^[^ ]/{/^Conffiles:\|^ /d}' >"$source/made/DEBIAN/control"
dpkg-deb --build "$source/made" "$source/$package.deb" >/dev/null
rm -r "$source/made"
{
  dpkg-deb --field "$source/$package.deb"
  echo "Filename: ./$package.deb"
  echo "Size: $(stat --format=%s "$source/$package.deb")"
  echo "SHA256: $(sha256sum "$source/$package.deb" | cut -d' ' -f1)"
} >"$source/Packages"
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo "deb [trusted=yes] file:$source ./" >/etc/apt/sources.list
apt-get -qq update
dpkg --purge $package
