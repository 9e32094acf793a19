/** The end of a whole machine: every process at once, and with them what the kernel keeps only as long as it runs. */
import { readdirSync, readFileSync } from 'node:fs'
import { execa } from 'execa'
import { removeCgroups } from '../../machine/purge.ts'
import type { Site } from '../../machine/parts/part.ts'
import { until } from '../world/index.ts'

/** Parent and state of a living process, or null. */
function lookAt(pid: number): { readonly parent: number; readonly isZombie: boolean } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { parent: Number(parent), isZombie: state === 'Z' }
  } catch {
    // It ended meanwhile.
    return null
  }
}

/** This process and those that it descends from: the machine's power button. */
function spared(): ReadonlySet<number> {
  const pids = new Set([0, 1])
  for (let pid = process.pid; pid > 1; pid = lookAt(pid)?.parent ?? 0) pids.add(pid)
  return pids
}

function others(): readonly number[] {
  const kept = spared()
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => !kept.has(pid) && lookAt(pid)?.isZombie === false)
}

async function killAll(): Promise<void> {
  await until(
    () => {
      const pids = others()
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // It went with another.
        }
      }
      return pids.length === 0
    },
    { timeoutMs: 30_000, what: 'every process to die' },
  )
}

async function unmountAll(home: string): Promise<void> {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[1] ?? [])
  for (const path of mounts.filter((one) => one.startsWith(`${home}/`)).toReversed())
    await execa('umount', ['--lazy', path.replaceAll('\\040', ' ')], { timeout: 10_000 })
}

/** Devices but those that the kernel gives to every namespace. */
async function removeDevices(): Promise<void> {
  const names = [...readFileSync('/proc/self/net/dev', 'utf8').matchAll(/^\s*([^\s:]+):/gm)].map(
    ([, name = '']) => name,
  )
  for (const name of names)
    await execa('ip', ['link', 'delete', name], { reject: false, timeout: 10_000, stderr: 'ignore' })
}

/** In the namespaces of a test run nothing but the cloud under test runs, so all but the test itself dies. */
export async function cutPower({ config, layout }: Site): Promise<void> {
  await killAll()
  await unmountAll(layout.home)
  await removeDevices()
  removeCgroups(config.namePrefix)
}
