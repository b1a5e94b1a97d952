#!/usr/bin/env bash
# Make this host filter everything but ssh with the firewall $1, and have a rule of somebody else's in it.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
case $1 in
  ufw)
    ufw allow 22/tcp
    ufw deny from 198.51.100.66 comment 'somebody else'
    ufw --force enable
    ;;
  firewalld)
    systemctl enable --now firewalld
    firewall-cmd --permanent --add-rich-rule='rule family=ipv4 source address=198.51.100.66 port port=10933 protocol=tcp drop'
    firewall-cmd --reload
    ;;
  nftables)
    cat >/etc/nftables.conf <<'END'
#!/usr/sbin/nft -f
flush ruleset
table inet filter {
	chain input {
		type filter hook input priority 0; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "lo" accept
		meta l4proto { icmp, ipv6-icmp } accept
		tcp dport 22 accept
	}
}
table inet bans {
	chain input {
		type filter hook input priority -1; policy accept;
		ip saddr 198.51.100.66 drop comment "somebody else"
	}
}
END
    systemctl enable --now nftables
    ;;
  iptables)
    dpkg --purge ufw
    for program in iptables ip6tables; do
      $program -A INPUT -i lo -j ACCEPT
      $program -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
      $program -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
      $program -P INPUT DROP
    done
    iptables -A INPUT -s 198.51.100.66/32 -m comment --comment 'somebody else' -j DROP
    ip6tables -A INPUT -p ipv6-icmp -j ACCEPT
    dpkg --install /var/cache/packages/iptables-persistent/*.deb
    ;;
esac
