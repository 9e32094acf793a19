/** lxcfs: the running one, else one of our own. Guests see their own memory, CPUs and uptime in /proc. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { until } from '../until.ts'
import { keep, type Found, type Site } from './part.ts'

const runningDirectory = '/var/lib/lxcfs'

/** A mount whose lxcfs died answers every read with an error. */
async function answers(directory: string): Promise<true> {
  await readFile(join(directory, 'proc', 'meminfo'), 'utf8')
  return true
}

async function version(): Promise<string> {
  const { all } = await execa('lxcfs', ['--version'], { timeout: 5000, reject: false, all: true })
  return /\d+\.\d+\.\d+/.exec(all)?.[0] ?? 'unknown'
}

async function isMounted(directory: string): Promise<boolean> {
  return (await readFile('/proc/mounts', 'utf8')).split('\n').some((line) => line.split(' ')[1] === directory)
}

export async function startLxcfs(site: Site, kept: number | null): Promise<Found> {
  const { config, layout } = site
  if (config.lxcfsDir === 'off') return { origin: 'given', where: 'off', version: '-' }
  const wanted = config.lxcfsDir ?? runningDirectory
  // Guests that run have files of the one that is kept.
  const isOwn = config.lxcfsDir === null && kept !== null
  if (!isOwn && (await answers(wanted).catch(() => false)))
    return { origin: 'given', where: wanted, version: await version() }
  const directory = join(layout.home, 'lxcfs')
  if (kept === null && (await isMounted(directory))) await execa('umount', ['--lazy', directory], { timeout: 10_000 })
  await mkdir(directory, { recursive: true })
  const log = await keep(site, {
    name: 'lxcfs',
    command: [
      '/bin/sh',
      '-c',
      // A mount that a killed lxcfs left would keep the next one from starting.
      'umount --lazy "$1" 2>&-; shift; exec "$@"',
      'sh',
      directory,
      'lxcfs',
      '--enable-loadavg',
      '--enable-cfs',
      '--foreground',
      `--pidfile=${join(layout.run, 'lxcfs.pidfile')}`,
      directory,
    ],
    stopSignal: 'SIGTERM',
  })
  await until(`lxcfs (log: ${log})`, 20_000, () => answers(directory))
  return { origin: 'ours', where: directory, version: await version() }
}
