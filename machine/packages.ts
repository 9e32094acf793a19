/** Debian's packages that the parts come from. */
import { existsSync, readFileSync } from 'node:fs'
import { chmod, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { CloudError } from '../core/errors.ts'

const wanted = [
  'docker.io',
  'openvswitch-switch',
  'lxcfs',
  'docker-registry',
  'e2fsprogs',
  'mmdebstrap',
  'jq',
  'iproute2',
  'nftables',
  'openssh-client',
  'openssl',
  'procps',
  'skopeo',
] as const

/** What these packages would have systemd start at the next boot. */
const units = [
  'containerd.service',
  'docker-registry.service',
  'docker.service',
  'docker.socket',
  'lxcfs.service',
  'openvswitch-switch.service',
  'ovs-record-hostname.service',
] as const

const policy = '/usr/sbin/policy-rc.d'
const savedPolicy = `${policy}.berth-saved`

/**
 * What the test suite and the benchmarks need: real clients as judges, what measures, captures and asks on the wire, and a way to move the
 * clock of one process.
 */
export const testPackages = [
  'python3-openstackclient',
  'iperf3',
  'tcpdump',
  'iputils-ping',
  'ethtool',
  'libfaketime',
] as const

/** What conformance is judged by, beside them. */
export const conformancePackages = [
  ...testPackages,
  'python3-novaclient',
  'python3-openstacksdk',
  'python3-subunit',
  'tempest',
] as const

export async function missingPackages(more: readonly string[] = []): Promise<readonly string[]> {
  const all = [...wanted, ...more]
  const { stdout } = await execa('dpkg-query', ['--show', '--showformat=${Package} ${db:Status-Status}\n', ...all], {
    reject: false,
    timeout: 30_000,
  })
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  )
  return all.filter((name) => !installed.has(name))
}

function isPolicyOurs(): boolean {
  return existsSync(policy) && readFileSync(policy, 'utf8').includes('berth')
}

/** What was there before ours is there again. */
async function restorePolicy(): Promise<void> {
  if (existsSync(savedPolicy)) await rename(savedPolicy, policy)
  else if (isPolicyOurs()) await rm(policy, { force: true })
}

/** Asked of files: systemd need not run. */
async function enabledUnits(): Promise<readonly string[]> {
  const words = ['--root=/', 'list-unit-files', '--state=enabled', '--plain', '--no-legend', ...units]
  const { stdout, failed } = await execa('systemctl', words, { reject: false, timeout: 20_000 })
  // A machine without systemd has no units to start.
  return failed ? [] : [...stdout.matchAll(/^\S+/gm)].map(([name]) => name)
}

/** Keeps Debian's scripts from starting services, now and at the next boot: what runs is ours to start. Units that were there stay as they are. */
async function withoutServices<T>(work: () => Promise<T>): Promise<T> {
  const before = await enabledUnits()
  if (existsSync(policy) && !isPolicyOurs()) await rename(policy, savedPolicy)
  await writeFile(policy, '#!/bin/sh\n# berth: no services while packages are installed\nexit 101\n')
  await chmod(policy, 0o755)
  try {
    return await work()
  } finally {
    await restorePolicy()
    const brought = (await enabledUnits()).filter((unit) => !before.includes(unit))
    if (brought.length > 0)
      await execa('systemctl', ['disable', '--quiet', ...brought], { reject: false, timeout: 60_000 })
  }
}

/** Installs what is missing. @returns the names of what was installed */
export async function installPackages(logDirectory: string, more: readonly string[] = []): Promise<readonly string[]> {
  const missing = await missingPackages(more)
  if (missing.length === 0) {
    // One that was broken off left its own.
    await restorePolicy()
    return []
  }
  const log = join(logDirectory, 'apt.log')
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const run = async (words: readonly string[]): Promise<boolean> => {
    const output = { file: log, append: true }
    const { exitCode } = await execa('apt-get', [...words], {
      env,
      reject: false,
      timeout: 600_000,
      stdout: output,
      stderr: output,
    })
    return exitCode === 0
  }
  await withoutServices(async () => {
    await run(['update', '-q'])
    const isDone = await run([
      'install',
      '-y',
      '-q',
      '--no-install-recommends',
      '-o',
      'DPkg::Lock::Timeout=300',
      ...missing,
    ])
    if (!isDone) throw new CloudError('unavailable', `apt-get could not install ${missing.join(' ')}\n  log: ${log}`)
  })
  return missing
}
