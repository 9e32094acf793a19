import { existsSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { imageNames } from '../../../images/build.ts'
import { lxcfs, until } from '../../world/index.ts'
import { Machine } from './machine.ts'
import { DockerSite } from './site.ts'

const slow = 120_000

describe.each(imageNames)('a guest of image %s', (name) => {
  let site: DockerSite
  let image: string
  let machine: Machine | null = null

  beforeAll(async () => {
    site = await DockerSite.open(await lxcfs())
    image = await site.image(name)
  }, slow)
  afterEach(async () => {
    await machine?.remove()
    machine = null
  })
  afterAll(() => site.close())

  test('lets its user in with the first answer of sshd, as root and as debian', async () => {
    machine = await Machine.boot(site, image)
    expect(await machine.banner()).toMatch(/^SSH-2.0-OpenSSH/)
    const [root, debian] = await Promise.all([machine.ssh('id -un'), machine.ssh('id -un; sudo -n id -un', 'debian')])
    expect([root, debian]).toEqual(['root', 'debian\nroot'])
  })

  test('has its own name, addresses, resolver and figures', async () => {
    machine = await Machine.boot(site, image)
    await machine.banner()
    expect(await machine.ssh('hostname; getent hosts quay; cat /etc/resolv.conf; hostname -i')).toBe(
      'quay\n198.18.0.2      quay\nnameserver 192.0.2.53\n198.18.0.2',
    )
    expect(await machine.ssh("free -m | awk '/Mem:/ { print $2 }'")).toBe('320')
    expect(Number(await machine.ssh('cut -d. -f1 /proc/uptime'))).toBeLessThan(60)
    expect(await machine.ssh('ping -c1 -W2 198.18.0.1 >/dev/null && echo answered', 'debian')).toBe('answered')
    expect(await machine.ssh('ls /sys/class/net')).toBe('eth0\nlo')
  })

  test('is no way to the host', async () => {
    machine = await Machine.boot(site, image)
    await machine.banner()
    const refused = ['mount -t tmpfs none /mnt', 'hostname other', 'mknod /dev/sda b 8 0', 'dmesg', 'unshare -U true']
    for (const command of refused)
      expect(await machine.ssh(`${command} >/dev/null 2>&1 || echo refused`)).toBe('refused')
    expect(await machine.ssh("awk '{ print ($2 == 0) }' /proc/self/uid_map")).toBe('0')
  })

  test(
    'does what its user data says, and takes the password',
    async () => {
      const userData = `#cloud-config
write_files: [{ path: /etc/written, content: "by cloud-init\\n" }]
runcmd: [[touch, /etc/ran]]
ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHJHlkLCSPzPNzSgVNTrbyKMeWrXyHPYUkEiVPYgYoZ6 another]
`
      machine = await Machine.boot(site, image, {
        userData: Buffer.from(userData).toString('base64'),
        adminPassword: 's3cret-$x',
      })
      await machine.banner()
      await machine.settled()
      expect(await machine.ssh('cat /etc/written; ls /etc/ran; grep -c another /root/.ssh/authorized_keys')).toBe(
        'by cloud-init\n/etc/ran\n1',
      )
      expect(await machine.ssh('wc -l < /home/debian/.ssh/authorized_keys')).toBe('2')
      const login = `python3 -W ignore -c "import crypt, spwd; h = spwd.getspnam('root').sp_pwdp; print(crypt.crypt('s3cret-\\$x', h) == h)"`
      expect(await machine.ssh(login)).toBe('True')
    },
    slow,
  )

  test(
    'runs a script that is given as user data',
    async () => {
      const userData = Buffer.from('#!/bin/sh\necho "by $(id -un)" > /etc/by-script\n').toString('base64')
      machine = await Machine.boot(site, image, { userData })
      await machine.banner()
      await machine.settled()
      expect(await machine.ssh('cat /etc/by-script')).toBe('by root')
    },
    slow,
  )

  test(
    'logs, runs cron, knows who was here, and has nothing failed',
    async () => {
      machine = await Machine.boot(site, image)
      await machine.banner()
      await machine.settled()
      await machine.ssh('logger -t ship ahoy')
      await until(async () => (await machine?.ssh('grep -c "ship: ahoy" /var/log/syslog')) === '1')
      expect(await machine.ssh('pgrep -x cron >/dev/null && echo runs')).toBe('runs')
      if (name === 'debian-12') {
        const running = async () => (await machine?.ssh('systemctl is-system-running')) === 'running'
        await until(running, { timeoutMs: 30_000 })
        expect(await machine.ssh('systemctl --failed --no-legend')).toBe('')
        expect(await machine.ssh('journalctl --no-pager -t ship -o cat')).toBe('ahoy')
      }
    },
    slow,
  )

  test(
    'keeps its host keys, files and wires over reboot, and never asks cloud-init twice',
    async () => {
      machine = await Machine.boot(site, image)
      await machine.banner()
      await machine.settled()
      const before = await machine.ssh('cat /etc/ssh/*.pub /etc/machine-id; touch /root/kept')
      const { serverId } = machine
      await machine.ssh('reboot').catch(() => undefined)
      const ended = await until(
        async () => {
          const guest = await site.driver.inspect(serverId)
          return guest?.state === 'stopped' ? guest : null
        },
        { timeoutMs: 30_000 },
      )
      expect(ended.exitCode).toBe(129)
      await site.driver.start(serverId)
      await machine.banner()
      expect(await machine.ssh('cat /etc/ssh/*.pub /etc/machine-id; ls /root/kept')).toBe(`${before}\n/root/kept`)
    },
    slow,
  )

  test('leaves no group of the kernel behind', async () => {
    machine = await Machine.boot(site, image)
    await machine.banner()
    const { guestId } = (await site.driver.inspect(machine.serverId)) ?? {}
    await machine.remove()
    for (const hierarchy of ['systemd', 'memory', 'pids'])
      expect(existsSync(`/sys/fs/cgroup/${hierarchy}${site.engine.cgroupParent}/${String(guestId)}`)).toBe(false)
  })
})
