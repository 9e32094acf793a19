#!/bin/sh
# systemd as init, trimmed to what a container can do; ssh comes before everything that it does not need.
set -eu
root=$1

# What a container cannot do, or need not: hardware, kernel, file systems, virtual terminals. Log-in sessions of systemd are left
# out too: on cgroup v1 a container is not told that a session's group is empty, and every shutdown would wait for it.
for unit in \
  systemd-journal-flush.service systemd-remount-fs.service systemd-tmpfiles-setup-dev.service systemd-sysusers.service \
  systemd-update-utmp-runlevel.service systemd-udevd.service systemd-udev-trigger.service \
  systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-modules-load.service systemd-sysctl.service \
  sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount \
  proc-sys-fs-binfmt_misc.automount systemd-firstboot.service systemd-random-seed.service systemd-hwdb-update.service \
  systemd-journald-audit.socket getty@.service systemd-networkd.service systemd-resolved.service systemd-timesyncd.service \
  user@.service user-runtime-dir@.service \
  systemd-ask-password-console.path systemd-ask-password-wall.path systemd-initctl.socket modprobe@.service \
  e2scrub_reap.service e2scrub_all.timer fstrim.timer cloud-init-hotplugd.socket rescue.service emergency.service; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# logind comes when reboot or poweroff ask for it over D-Bus, and is not there before.
rm -f "$root/lib/systemd/system/multi-user.target.wants/systemd-logind.service"
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"

# What writes units for hardware that is not there, at every start of systemd.
mkdir -p "$root/etc/systemd/system-generators"
for generator in cryptsetup debug getty gpt-auto hibernate-resume integritysetup run system-update veritysetup; do
  ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-$generator-generator"
done

# sshd answers before the boot is over, and to every user: nothing may tell them to come back later.
mkdir -p "$root/etc/tmpfiles.d"
ln -sf /dev/null "$root/etc/tmpfiles.d/systemd-nologin.conf"

mkdir -p "$root/etc/systemd/journald.conf.d"
cat > "$root/etc/systemd/journald.conf.d/10-berth.conf" <<'CONF'
[Journal]
Storage=volatile
RuntimeMaxUse=16M
ReadKMsg=no
CONF

# sshd starts first, with the processors to itself: the rest of the boot waits until it listens.
cat > "$root/etc/systemd/system/berth-host-keys.service" <<'UNIT'
[Unit]
Description=SSH host keys of this guest
DefaultDependencies=no
ConditionPathExists=!/etc/ssh/ssh_host_ecdsa_key
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/berth-host-keys
UNIT
cat > "$root/etc/systemd/system/ssh.service" <<'UNIT'
[Unit]
Description=OpenBSD Secure Shell server
Documentation=man:sshd(8) man:sshd_config(5)
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target sysinit.target
Wants=berth-host-keys.service
After=berth-host-keys.service
ConditionPathExists=!/etc/ssh/sshd_not_to_be_run
[Service]
EnvironmentFile=-/etc/default/ssh
ExecStart=/usr/sbin/sshd -D $SSHD_OPTS
ExecReload=/usr/sbin/sshd -t
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process
Restart=on-failure
RestartPreventExitStatus=255
Type=notify
RuntimeDirectory=sshd
RuntimeDirectoryMode=0755
[Install]
WantedBy=sysinit.target
Alias=sshd.service
UNIT
rm -f "$root"/etc/systemd/system/multi-user.target.wants/ssh.service
mkdir -p "$root/etc/systemd/system/sysinit.target.wants"
ln -sf /etc/systemd/system/ssh.service "$root/etc/systemd/system/sysinit.target.wants/ssh.service"

# cloud-init finds its seed in the file system: it needs no network and must not hold anything up.
for unit in cloud-init-local cloud-init cloud-config cloud-final; do
  mkdir -p "$root/etc/systemd/system/$unit.service.d"
done
touch "$root/etc/cloud/cloud-init.generated"
rm -f "$root/lib/systemd/system-generators/cloud-init-generator"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
for unit in cloud-init-local cloud-init cloud-config cloud-final; do
  cat > "$root/etc/systemd/system/$unit.service" <<UNIT
[Unit]
Description=cloud-init: $unit
DefaultDependencies=yes
@AFTER@
[Service]
Type=oneshot
@EXEC@
RemainAfterExit=yes
TimeoutSec=0
StandardOutput=journal+console
[Install]
WantedBy=multi-user.target
UNIT
  case $unit in
    cloud-init-local) after= exec='init --local' ;;
    cloud-init) after=cloud-init-local.service exec=init ;;
    cloud-config) after=cloud-init.service exec='modules --mode=config' ;;
    cloud-final) after=cloud-config.service exec='modules --mode=final' ;;
  esac
  sed -i "s|@AFTER@|${after:+After=$after}|; s|@EXEC@|ExecStart=/usr/bin/cloud-init $exec|" "$root/etc/systemd/system/$unit.service"
  ln -sf "/etc/systemd/system/$unit.service" "$root/etc/systemd/system/multi-user.target.wants/$unit.service"
  rmdir "$root/etc/systemd/system/$unit.service.d"
done
rm -rf "$root/etc/systemd/system/cloud-init.target.wants" "$root/etc/systemd/system/cloud-config.target.wants"

# A log-in prompt on the console, which is the container's terminal.
ln -sf /lib/systemd/system/console-getty.service "$root/etc/systemd/system/multi-user.target.wants/console-getty.service"
