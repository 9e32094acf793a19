/** The few commands that a fake guest knows, as a shell's user expects them to answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Unavailable } from '../../core/errors.ts'
import type { ExecResult, GuestSpec } from '../driver.ts'

const exitNotFound = 127

function cat({ files }: GuestSpec, path: string | undefined, input: string): ExecResult {
  if (path === undefined) return { exitCode: 0, output: input }
  const file = files.find((one) => one.path === path)
  if (!file) return { exitCode: 1, output: `cat: ${path}: No such file or directory\n` }
  return { exitCode: 0, output: Buffer.from(file.content).toString('utf8') }
}

/** In raw form, with name, bytes, type and where it is mounted. */
function lsblk({ disks }: GuestSpec): string {
  const gib = 1024 ** 3
  const { rootGiB = 0, ephemeralGiB = 0 } = disks ?? {}
  const root = `vda ${rootGiB * gib} disk /\n`
  return ephemeralGiB === 0 ? root : `${root}vdb ${ephemeralGiB * gib} disk /mnt\n`
}

/** @throws Unavailable when a `sleep` is longer than `timeoutMs` */
export async function runCommand(
  spec: GuestSpec,
  [name = '', ...words]: readonly string[],
  { timeoutMs, input }: { readonly timeoutMs: number; readonly input: string },
): Promise<ExecResult> {
  switch (name) {
    case 'cat':
      return cat(spec, words[0], input)
    case 'hostname':
      return { exitCode: 0, output: `${spec.hostname}\n` }
    case 'lsblk':
      return { exitCode: 0, output: lsblk(spec) }
    case 'echo':
      return { exitCode: 0, output: `${words.join(' ')}\n` }
    case 'sleep':
      await sleep(Math.min(timeoutMs, Number(words[0]) * 1000))
      if (Number(words[0]) * 1000 > timeoutMs) throw new Unavailable(`sleep did not end within ${timeoutMs} ms`)
      return { exitCode: 0, output: '' }
    case 'false':
      return { exitCode: 1, output: '' }
    case 'true':
    case 'reboot':
    case 'poweroff':
    case 'pgrep':
      return { exitCode: 0, output: '' }
    default:
      return { exitCode: exitNotFound, output: `${name}: not found\n` }
  }
}
