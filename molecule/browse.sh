#!/usr/bin/env bash
# browse.sh HOST URL: what this machine's Chromium shows of URL in the network of the running host HOST.
# Ends with 124 when nothing comes in time, with 77 when there is no Chromium (in CI that is a failure).
set -euo pipefail
browser=$(command -v chromium) || { echo "no chromium here"; [ -n "${CI:-}" ] && exit 1; exit 77; }
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
nsenter --net="/run/netns/${HOSTS_PREFIX:-tt}-$1" timeout --kill-after=2 15 env HOME="$profile" "$browser" --headless --no-sandbox \
  --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run \
  --ignore-certificate-errors --user-data-dir="$profile" --dump-dom "$2" 2>/dev/null </dev/null
