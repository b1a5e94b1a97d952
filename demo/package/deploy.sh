# shellcheck shell=bash
#
# Deploys the site from the directory this file lies in, and starts it. Run by a Tentacle, with the agent's environment.
#
#   deploy.sh NAME ADDRESS PORT VERSION PACKAGE-SHA256 PYTHON
set -euo pipefail
: "${TentacleApplications:?is set by the agent}"

name=$1 address=$2 port=$3 version=$4 package=$5 python=$6
release=$(cd "$(dirname "$0")" && pwd)
site=$TentacleApplications/site
pid_file=$site/site.pid

echo "Making version $version the current one"
sed -i -e "s/@HOST@/$name/" -e "s/@VERSION@/$version/" -e "s/@PACKAGE@/$package/" "$release/site/index.html"
ln -sfn "$release" "$site/current.new"
mv -T "$site/current.new" "$site/current"

before=$(cat "$pid_file" 2>/dev/null || true)
if [ -n "$before" ] && grep -qz serve.py "/proc/$before/cmdline" 2>/dev/null; then
    echo "Stopping the web server of the version before (process $before)"
    kill "$before"
    while [ -e "/proc/$before" ]; do sleep 0.05; done
fi

echo "Starting the web server on http://$address:$port/"
"$python" -I "$release/serve.py" "$site/current/site" "$address" "$port" "$pid_file"

"$python" -I - "http://$address:$port/" <<'END'
import sys, urllib.request
page = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=10).read()
print("It answers with", len(page), "bytes")
END
touch "$release/started"
