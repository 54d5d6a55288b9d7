#!/bin/sh
# Runs inside the new root file system, after the packages and rootfs/ are in place.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

useradd --create-home --uid 1000 --shell /bin/bash --groups sudo,video,audio,input,render agent
# Not `!`: sshd refuses keys of locked accounts when PAM is short. `*` is no valid hash either.
usermod --password '*' agent
usermod --password '*' root
install -d -o agent -g agent -m 755 /home/agent/Desktop /home/agent/Documents /home/agent/Downloads
touch /home/agent/.Xauthority && chown agent:agent /home/agent/.Xauthority
chmod 600 /home/agent/.Xauthority
chmod 440 /etc/sudoers.d/lebureau
chmod 755 /usr/lib/lebureau/session /usr/lib/lebureau/init /usr/lib/lebureau/network
install -d -m 755 /etc/lebureau

echo 'LANG=C.UTF-8' > /etc/default/locale
echo 'LANG=C.UTF-8' > /etc/locale.conf
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' > /etc/hosts
# The guest's own name is known without a line in /etc/hosts, which so belongs to the user.
sed -i 's/^hosts:.*/hosts: files myhostname dns/' /etc/nsswitch.conf
# Who a guest is lies in memory: the init program writes these at every boot.
ln -sf /run/lebureau/hostname /etc/hostname
ln -sf /run/lebureau/config.json /etc/lebureau/config.json
ln -sf /run/lebureau/authorized_keys /etc/ssh/lebureau_authorized_keys
printf '/dev/vda / ext4 rw,relatime,discard 0 1\n' > /etc/fstab
ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime
echo Etc/UTC > /etc/timezone

# A session that nobody sits at: nothing may blank, ask, update or report.
rm -f /etc/xdg/autostart/xscreensaver.desktop /etc/xdg/autostart/light-locker.desktop /etc/update-motd.d/* /etc/motd
for unit in apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service dpkg-db-backup.timer \
  e2scrub_all.timer e2scrub_reap.service fstrim.timer man-db.timer systemd-tmpfiles-clean.timer motd-news.timer ua-timer.timer \
  systemd-timesyncd.service systemd-pstore.service systemd-rfkill.service systemd-rfkill.socket \
  systemd-networkd-wait-online.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
  systemd-random-seed.service systemd-machine-id-commit.service systemd-firstboot.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount \
  systemd-binfmt.service proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount sys-kernel-config.mount modprobe@configfs.service modprobe@fuse.service modprobe@dm_mod.service modprobe@loop.service modprobe@efi_pstore.service modprobe@drm.service \
  sleep.target suspend.target hibernate.target hybrid-sleep.target suspend-then-hibernate.target \
  getty@tty1.service serial-getty@ttyS0.service snapd.service; do
  systemctl mask "$unit" >/dev/null 2>&1 || true
done
systemctl enable lebureau-init.service lebureau-x.service lebureau-desktop.service ssh.service \
  systemd-networkd.service systemd-resolved.service systemd-network-generator.service lebureau-network.service >/dev/null 2>&1
systemctl enable qemu-guest-agent.service >/dev/null 2>&1 || true
# A timer that is wanted is loaded, masked or not, and looked at whenever the clock is set.
rm -f /etc/systemd/system/timers.target.wants/*
systemctl set-default multi-user.target >/dev/null 2>&1

# Drivers of hardware that no hypervisor here offers.
for dir in drivers/net/wireless drivers/net/ethernet drivers/media drivers/infiniband drivers/gpu/drm/amd drivers/gpu/drm/i915 \
  drivers/gpu/drm/nouveau drivers/gpu/drm/radeon drivers/iio drivers/staging drivers/isdn drivers/scsi drivers/hwmon \
  drivers/bluetooth net/bluetooth sound drivers/mtd drivers/usb/serial drivers/leds drivers/mfd drivers/edac; do
  rm -rf /usr/lib/modules/*/kernel/$dir
done
for modules in /usr/lib/modules/*; do depmod "$(basename "$modules")"; done
update-initramfs -c -k all 2>/dev/null || update-initramfs -u -k all

# Whatever would be equal in every clone comes from the init program.
rm -f /etc/ssh/ssh_host_*
for name in ssh_host_ed25519_key ssh_host_ed25519_key.pub; do ln -s /run/lebureau/$name /etc/ssh/$name; done
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed
# A fixed placeholder, so that the first boot is no `first boot` and presets stay as they are here.
echo 00000000000000000000000000000001 > /etc/machine-id
ln -sf /etc/machine-id /var/lib/dbus/machine-id
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/*.log /var/log/apt /tmp/* /var/tmp/*
fc-cache -s >/dev/null 2>&1 || true
