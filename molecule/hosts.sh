#!/usr/bin/env bash
# Real systemd hosts for the scenarios, without a container engine: an overlay copy of a base tree, a network
# namespace of its own on a bridge, and systemd-nspawn --boot.  Needs root, mmdebstrap, systemd-container, iproute2.
#
#   hosts.sh build SUITE...             make the bases of bullseye (Debian 11), bookworm (12), trixie (13), once each
#   hosts.sh net-up                     bridge 10.77.0.1 / fd77::1 in a namespace without any way out
#   hosts.sh up NAME NUMBER [SUITE]     boot NAME at 10.77.0.NUMBER / fd77::NUMBER (as written: 31 is fd77::31)
#   hosts.sh up NAME NUMBER SUITE FROM  the same from an image of the host FROM: its files, without its ssh keys and machine id
#   hosts.sh wait NAME...               until systemd says running (or degraded: then the failed units are named)
#   hosts.sh exec NAME COMMAND...       run a command inside
#   hosts.sh root NAME                  where its files lie
#   hosts.sh down NAME... | net-down    end hosts; remove the bridge
#   hosts.sh sweep                      end every host and the bridge of this prefix, whatever state a run left behind
#   hosts.sh ps | key | lan             what runs; path of the ssh key; name of the bridge's namespace
#
# HOSTS_DIR (default /var/tmp/tentacle-hosts) holds bases and running hosts; HOSTS_PREFIX (default tt) names namespaces
# and control groups.  Two runs at once on one machine differ in the prefix and share the bases: one builds, the other
# waits.  A base's name says which packages it was made of, so that another list of packages makes another base.
set -eu

directory=${HOSTS_DIR:-/var/tmp/tentacle-hosts}
prefix=${HOSTS_PREFIX:-tt}
lan=$prefix-lan
running=$directory/run-$prefix
ipv4=10.77.0
ipv6=fd77::

# What a target has beyond a minimal Debian: ssh and Python for Ansible, python3-openssl for the agent, and tools that
# the scenarios look with.
packages=(systemd systemd-sysv dbus python3 openssh-server sudo ca-certificates python3-apt python3-cryptography python3-openssl
  iproute2 iputils-ping procps curl openssl less kmod nftables iptables ipset ufw firewalld netcat-openbsd)
# Packages that lie in a directory of /var/cache/packages of a host, with what they need, for scenarios that install them
# there (without any network): ufw breaks iptables-persistent, and a host need not be able to make environments.
carried=(iptables-persistent python3-venv)

say() { echo "hosts.sh: $*" >&2; }

control_groups() { echo "/sys/fs/cgroup/unified/$prefix-$1 /sys/fs/cgroup/systemd/$prefix-$1"; }

# The process that is pid 1 inside the host, or nothing.
leader() {
  local nspawn
  nspawn=$(pgrep -P "$(cat "$running/$1/pid" 2>/dev/null || echo 0)" -x systemd-nspawn) && pgrep -P "$nspawn" | head -1
}

need() {
  local command missing=()
  for command; do command -v "$command" >/dev/null || missing+=("$command"); done
  [ ${#missing[@]} = 0 ] && return 0
  say "missing: ${missing[*]}. Install with: apt-get install mmdebstrap systemd-container iproute2 openssh-client"
  return 1
}

net_up() {
  ip netns list | grep -qw "$lan" && return 0
  ip netns add "$lan"
  ip -n "$lan" link set lo up
  ip -n "$lan" link add br0 type bridge forward_delay 0 mcast_snooping 0
  ip netns exec "$lan" sysctl -qw net.ipv6.conf.br0.accept_dad=0
  ip -n "$lan" addr add "$ipv4.1/24" dev br0
  ip -n "$lan" addr add "${ipv6}1/64" dev br0 nodad
  ip -n "$lan" link set br0 up # no default route anywhere: nothing can leave the machine
}

up() {
  local name=$1 number=$2 base host=$running/$1 namespace=$prefix-$1 veth=$prefix-v$2 group
  base=$(base_of "${3:-bookworm}")
  if [ -n "$(leader "$name" || true)" ]; then say "$name is up already"; return 0; fi
  [ -d "$base" ] || { say "no base ${3:-bookworm} yet: run 'hosts.sh build ${3:-bookworm}'"; return 1; }
  down "$name" # what an aborted run left
  mkdir -p "$host"/{upper,work,tree}
  [ -z "${4:-}" ] || cp -a "$running/$4/upper" "$host/"
  mount -t overlay "$namespace" -o "lowerdir=$base,upperdir=$host/upper,workdir=$host/work" "$host/tree"
  echo "$veth" >"$host/veth"
  ip netns add "$namespace"
  ip -n "$lan" link add "$veth" type veth peer name host0 netns "$namespace"
  ip -n "$lan" link set "$veth" master br0 up
  ip -n "$namespace" link set lo up
  ip netns exec "$namespace" sysctl -qw net.ipv6.conf.host0.accept_dad=0
  ip -n "$namespace" addr add "$ipv4.$number/24" dev host0
  ip -n "$namespace" addr add "$ipv6$number/64" dev host0 nodad
  ip -n "$namespace" link set host0 up
  if [ -n "${4:-}" ]; then
    rm -f "$host"/tree/etc/ssh/ssh_host_*
    : >"$host/tree/etc/machine-id"
  fi
  echo "$name" >"$host/tree/etc/hostname"
  printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost ip6-localhost\n' "$name" >"$host/tree/etc/hosts"
  ssh-keygen -q -t ed25519 -N '' -f "$host/tree/etc/ssh/ssh_host_ed25519_key" </dev/null
  for group in $(control_groups "$name"); do mkdir -p "$group"; done
  # Each host in control groups of its own, or two hosts share one "payload".  The namespace is made beforehand, so the
  # capability for it must be given by name.  CAP_BPF and the bpf filter let IPAddressDeny= in units take effect.
  # With --keep-unit a reboot inside makes systemd-nspawn exit 133: the loop starts it again, as a service manager would.
  (
    for group in $(control_groups "$name"); do echo "$BASHPID" >"$group/cgroup.procs"; done
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
    # shellcheck disable=SC2016  # the inner shell expands
    exec setsid bash -c 'while :; do rc=0; systemd-nspawn "$@" || rc=$?; [ $rc = 133 ] || exit $rc; done' "$namespace" \
      --quiet --boot --directory="$host/tree" --machine="$name" --hostname="$name" --register=no --keep-unit \
      --console=pipe --resolv-conf=off --timezone=off --link-journal=no \
      --network-namespace-path="/run/netns/$namespace" \
      --capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_ADMIN,CAP_AUDIT_WRITE,CAP_BPF --system-call-filter=bpf \
      </dev/null >"$host/console.log" 2>&1
  ) &
  echo $! >"$host/pid"
}

wait_for() {
  local name state pid try
  for name; do
    for try in $(seq 600); do
      pid=$(leader "$name" || true)
      state=
      [ -z "$pid" ] || state=$(nsenter -t "$pid" -m -p -- systemctl is-system-running 2>/dev/null || true)
      case $state in
        running) echo "$name $state"; continue 2 ;;
        degraded)
          echo "$name $state: $(nsenter -t "$pid" -m -p -- systemctl --failed --plain --no-legend | cut -d' ' -f1 | tr '\n' ' ')"
          continue 2 ;;
      esac
      [ "$try" -lt 20 ] || kill -0 "$(cat "$running/$name/pid")" 2>/dev/null || break
      sleep 0.1
    done
    say "$name did not boot. The end of its console:"
    tail -5 "$running/$name/console.log" >&2 || true
    return 1
  done
}

down() {
  local name=$1 host=$running/$1 namespace=$prefix-$1 pid inside group
  pid=$(cat "$host/pid" 2>/dev/null || true)
  inside=$(leader "$name" || true)
  [ -z "$inside" ] || kill -KILL "$inside" || true # pid 1 of its namespace takes all others with it
  if [ -n "$pid" ]; then
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
  fi
  # A mount that stays would lead the rm below into a live tree.
  while mountpoint -q "$host/tree"; do umount "$host/tree" 2>/dev/null || umount -l "$host/tree" || return 1; done
  # The veth first: deleted with its namespace it disappears some time later, and a new one of its name fails.
  [ ! -f "$host/veth" ] || ip -n "$lan" link del "$(cat "$host/veth")" 2>/dev/null || true
  ip netns del "$namespace" 2>/dev/null || true
  for group in $(control_groups "$name"); do
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
  done
  rm -rf --one-file-system "$host"
}

sweep() {
  local host
  for host in "$running"/*/; do [ ! -d "$host" ] || down "$(basename "$host")"; done
  ip netns del "$lan" 2>/dev/null || true
  rmdir "$running" 2>/dev/null || true
}

# The mirrors that this machine's own apt is set up with, so that none is named here.
sources() {
  local suite=$1 uris
  # shellcheck disable=SC2016  # apt expands it
  uris=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | sort -u)
  [ -n "$uris" ] || { say "apt knows no Debian mirror: run apt-get update first"; return 1; }
  echo "deb $(grep -v security <<<"$uris" | head -1) $suite main"
  echo "deb $(grep security <<<"$uris" | head -1) $suite-security main"
}

# Where the base of a suite lies.  Counts: what it is made of, and how it is settled.
base_of() {
  echo "$directory/base-$1-$( (echo "$1 ${packages[*]} ${carried[*]}"; declare -f carry settle) | sha256sum | cut -c1-12)"
}

build() {
  local suite
  need mmdebstrap systemd-nspawn ip ssh-keygen flock
  mkdir -p "$directory"
  (
    flock 9
    [ -f "$directory/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -f "$directory/id_ed25519"
  ) 9>"$directory/.key.lock"
  for suite; do
    (
      flock 9 # another run may be building it
      build_alone "$suite"
    ) 9>"$directory/.build-$suite.lock"
  done
}

build_alone() {
  local suite=$1 base lines=()
  base=$(base_of "$suite")
  [ ! -d "$base" ] || return 0
  say "building $suite (about a minute)"
  rm -rf --one-file-system "$base.new"
  mkdir -p "$base.new"
  mapfile -t lines < <(sources "$suite")
  [ ${#lines[@]} = 2 ] || return 1
  # shellcheck disable=SC2016  # mmdebstrap's shell expands
  mmdebstrap --quiet --mode=root --variant=minbase --include="$(tr ' ' , <<<"${packages[*]}")" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="$(declare -f carry); carry \"\$1\" ${carried[*]}" \
    "$suite" "$base.new" "${lines[@]}" 2> >(grep -v 'unsandboxed as root' >&2)
  settle "$base.new"
  mv "$base.new" "$base"
}

# Put packages, each with what it needs beyond this base, where a host finds them.
carry() {
  local root=$1 package
  shift
  for package; do
    mkdir -p "$root/var/cache/packages/$package/partial"
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq --yes --download-only \
      -o "Dir::Cache::archives=$root/var/cache/packages/$package" install "$package"
  done
}

# What makes a bare system a test host: our key, a user with sudo, no firewall and no timers of its own.
settle() {
  local root=$1 unit
  install -d -m 700 "$root/root/.ssh"
  install -m 600 "$directory/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
  chroot "$root" useradd --create-home --shell /bin/bash --uid 1000 deploy
  install -d -m 700 -o 1000 -g 1000 "$root/home/deploy/.ssh"
  install -m 600 -o 1000 -g 1000 "$directory/id_ed25519.pub" "$root/home/deploy/.ssh/authorized_keys"
  echo 'deploy ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/deploy"
  chmod 440 "$root/etc/sudoers.d/deploy"
  mkdir -p "$root/etc/ssh/sshd_config.d"
  printf 'PermitRootLogin prohibit-password\nUseDNS no\n' >"$root/etc/ssh/sshd_config.d/test-host.conf"
  for unit in ufw firewalld nftables; do chroot "$root" systemctl disable -q "$unit" 2>/dev/null || true; done
  chroot "$root" systemctl mask -q apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer getty.target \
    console-getty.service 2>/dev/null || true
  chroot "$root" systemctl set-default -q multi-user.target 2>/dev/null || true
  rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/var/lib/dbus/machine-id"
  : >"$root/etc/machine-id"
}

verb=${1:-}
[ $# = 0 ] || shift
case $verb in
  build) build "$@" ;;
  net-up) net_up ;;
  up) up "$@" ;;
  wait) wait_for "$@" ;;
  down)
    ended=()
    for name; do down "$name" & ended+=($!); done
    for name in "${ended[@]}"; do wait "$name"; done ;;
  net-down) ip netns del "$lan" ;;
  sweep) sweep ;;
  exec)
    pid=$(leader "$1") || { say "$1 is not up"; exit 1; }
    shift
    exec nsenter -t "$pid" -a -- "$@" ;;
  root) echo "$running/$1/tree" ;;
  ps)
    for host in "$running"/*/; do
      [ ! -f "$host/pid" ] || echo "$(basename "$host") pid=$(cat "$host/pid") leader=$(leader "$(basename "$host")" || true)"
    done ;;
  key) echo "$directory/id_ed25519" ;;
  lan) echo "$lan" ;;
  *)
    sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p}' "$0"
    exit 2 ;;
esac
