#!/bin/sh
# runit as init: small, quick, and without demands on cgroups.
set -eu
root=$1

cat > "$root/etc/runit/1" <<'STAGE'
#!/bin/sh
# One-time tasks. The network is there already.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /run/sshd /run/lock /run/runit
chmod 0755 /run/sshd
rm -f /run/rsyslogd.pid /run/crond.pid
: > /run/utmp
chown root:utmp /run/utmp && chmod 0664 /run/utmp
[ -s /etc/machine-id ] || tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id
berth-host-keys
touch /etc/runit/stopit
chmod 0 /etc/runit/stopit
STAGE
cat > "$root/etc/runit/2" <<'STAGE'
#!/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
(
  exec </dev/null >/dev/console 2>&1
  # sshd first, with the processors to itself.
  tries=0
  until pgrep -x sshd >/dev/null || [ "$tries" -ge 50 ]; do sleep 0.02; tries=$((tries + 1)); done
  [ ! -e /etc/cloud/cloud-init.disabled ] || exit 0
  cloud-init init --local
  cloud-init init
  cloud-init modules --mode=config
  cloud-init modules --mode=final
) &
exec runsvdir -P /etc/service
STAGE
cat > "$root/etc/runit/3" <<'STAGE'
#!/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
sv -w 10 force-stop /etc/service/* >/dev/null 2>&1
sync
STAGE
# runit decides between reboot and power-off by the execute bit of /etc/runit/reboot.
cat > "$root/etc/runit/ctrlaltdel" <<'STAGE'
#!/bin/sh
touch /etc/runit/stopit /etc/runit/reboot && chmod 0100 /etc/runit/stopit /etc/runit/reboot
STAGE
chmod 0755 "$root"/etc/runit/1 "$root"/etc/runit/2 "$root"/etc/runit/3 "$root"/etc/runit/ctrlaltdel

service() {
  mkdir -p "$root/etc/sv/$1" "$root/etc/service"
  printf '#!/bin/sh\nexec %s\n' "$2" > "$root/etc/sv/$1/run"
  chmod 0755 "$root/etc/sv/$1/run"
  rm -rf "$root/etc/service/$1" "$root/etc/sv/$1/supervise"
  ln -s "/etc/sv/$1" "$root/etc/service/$1"
  ln -s "/run/runit/supervise.$1" "$root/etc/sv/$1/supervise"
}
rm -rf "$root/etc/service" "$root"/etc/sv/*
service ssh '/usr/sbin/sshd -D -e'
service cron '/usr/sbin/cron -f'
service rsyslog '/usr/sbin/rsyslogd -n'
service getty-console '/sbin/agetty --noclear console linux'
