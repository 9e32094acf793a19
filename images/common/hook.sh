#!/bin/sh
# Run by mmdebstrap when all packages are in; $1 is the root of the image. What both images share.
set -eu
root=$1

# Keys and the machine's id are a guest's own, made at its first boot.
rm -f "$root"/etc/ssh/ssh_host_*
: > "$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"

# Docker writes these three at every start.
rm -f "$root/etc/resolv.conf" "$root/etc/hostname"

cat > "$root/etc/apt/sources.list" <<'LIST'
deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
LIST

# The kernel's log is the host's: reading it is refused in a guest, and must not be tried.
if [ -f "$root/etc/rsyslog.conf" ]; then
  sed -i 's/^module(load="imklog".*/# &: the kernel log is the host'"'"'s/' "$root/etc/rsyslog.conf"
fi

# The default user of a Debian cloud image, with sudo without a password.
chroot "$root" useradd --create-home --shell /bin/bash --groups adm,sudo debian
chroot "$root" passwd --lock debian >/dev/null
printf 'debian ALL=(ALL) NOPASSWD:ALL\n' > "$root/etc/sudoers.d/90-debian"
chmod 0440 "$root/etc/sudoers.d/90-debian"
chroot "$root" usermod --shell /bin/bash root

mkdir -p "$root/etc/ssh/sshd_config.d"
cat > "$root/etc/ssh/sshd_config.d/10-berth.conf" <<'CONF'
PermitRootLogin yes
UseDNS no
HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
CONF

# No ssh_pwauth: passwords are allowed already, and cloud-init would restart sshd under the first log-in to say so again.
cat > "$root/etc/cloud/cloud.cfg" <<'CONF'
# Trimmed for a guest whose network, hostname and keys are right from the first instruction.
datasource_list: [ NoCloud ]
disable_root: false
ssh_deletekeys: false
ssh_genkeytypes: []
preserve_hostname: true
manage_etc_hosts: false
locale: false
network: { config: disabled }
apt_preserve_sources_list: true
users: [ default ]
cloud_init_modules: [ bootcmd, write-files, ca-certs, users-groups, ssh ]
cloud_config_modules: [ ssh-import-id, set-passwords, apt-configure, timezone, runcmd ]
cloud_final_modules: [ package-update-upgrade-install, write-files-deferred, scripts-vendor, scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user, phone-home, final-message, power-state-change ]
system_info:
  distro: debian
  default_user: { name: debian, lock_passwd: true, shell: /bin/bash, sudo: [ "ALL=(ALL) NOPASSWD:ALL" ] }
  paths: { cloud_dir: /var/lib/cloud/, templates_dir: /etc/cloud/templates/ }
  ssh_svcname: ssh
CONF
find "$root/etc/cloud/cloud.cfg.d" -type f ! -name '05_logging.cfg' -delete

# Host keys before the first connection: the two kinds that are made in 20 ms. An RSA key would take seconds of every first boot.
cat > "$root/usr/local/sbin/berth-host-keys" <<'KEYS'
#!/bin/sh
for kind in ed25519 ecdsa; do
  [ -s "/etc/ssh/ssh_host_${kind}_key" ] || ssh-keygen -q -t "$kind" -N '' -C "root@$(hostname)" -f "/etc/ssh/ssh_host_${kind}_key"
done
KEYS
chmod 0755 "$root/usr/local/sbin/berth-host-keys"

rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/*.log "$root"/usr/share/doc/* "$root"/usr/share/man/*
