#!/usr/bin/env bash
# Copy ansible-core $2 and this collection into the running host $1, for that host's own Python.
set -euo pipefail
root=$(bash "$MOLECULE_PROJECT_DIRECTORY/molecule/hosts.sh" root "$1")
collection=$root/opt/controller/ansible_collections/listening/tentacle
mkdir -p "$collection"
cd "$MOLECULE_PROJECT_DIRECTORY"
tar -C ".dev/core-$2"/lib/python3.*/site-packages --exclude=ansible_test --exclude=pip -c . | tar -C "$root/opt/controller" --no-same-owner -x
tar --exclude=__pycache__ -c files galaxy.yml meta playbooks plugins roles | tar -C "$collection" --no-same-owner -x
