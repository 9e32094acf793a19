import { beforeAll, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { build, imageNames, recipeOf } from '../../images/build.ts'
import { imageCache } from '../../machine/layout.ts'
import { room } from '../world/index.ts'

describe.each(imageNames)('image %s', (name) => {
  let tarPath: string
  let paths: readonly string[]

  async function read(path: string): Promise<string> {
    const { stdout } = await execa('tar', ['--extract', '--to-stdout', `--file=${tarPath}`, path])
    return stdout
  }

  beforeAll(async () => {
    const logFile = `${room().layout.log}/image-${name}.log`
    tarPath = (await build(name, { directory: imageCache, logFile })).tarPath
    const { stdout } = await execa('tar', ['--list', `--file=${tarPath}`], { maxBuffer: 64 * 1024 ** 2 })
    paths = stdout.split('\n')
  })

  test('is found again by its recipe', async () => {
    expect(tarPath).toContain(await recipeOf(name))
  })

  test('holds no key and no identity of a machine', async () => {
    expect(paths.filter((path) => path.includes('ssh_host_'))).toEqual([])
    expect(paths).not.toContain('./var/lib/dbus/machine-id')
    expect(await read('./etc/machine-id')).toBe('')
  })

  test('holds no lists and no packages of apt, and can fetch them', async () => {
    expect(paths.filter((path) => /^\.\/var\/lib\/apt\/lists\/.*_|\.deb$/.test(path))).toEqual([])
    expect(await read('./etc/apt/sources.list')).toContain('deb http://deb.debian.org/debian bookworm main')
    expect(paths.filter((path) => /apt\.conf\.d\/.*proxy/i.test(path))).toEqual([])
  })

  test('has an init, sshd, cron, syslog, sudo, ping, ip and cloud-init', () => {
    const programs = ['sbin/init', 'sbin/sshd', 'sbin/cron', 'sbin/rsyslogd', 'bin/sudo', 'bin/ping', 'bin/cloud-init']
    for (const program of programs) expect(paths).toContain(`./usr/${program}`)
    expect(paths.some((path) => /^\.\/usr\/s?bin\/ip$/.test(path))).toBe(true)
  })

  test('leaves the log of the kernel alone', async () => {
    expect(await read('./etc/rsyslog.conf')).not.toMatch(/^module\(load="imklog"/m)
  })
})
