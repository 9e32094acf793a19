/**
 * Files of a FUSE file system that are bound into guests, as lxcfs's are over /proc. A file system that was started anew is another
 * one: what guests have bound of the old one answers every read with an error, until it is bound anew from outside.
 */
import { readFile } from 'node:fs/promises'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { z } from 'zod'
import { Unavailable } from '../core/errors.ts'

/** A file system sleeps when a file of it cannot be bound in this time. */
const timeoutMs = 20_000

/** One line of mountinfo. Source: proc_pid_mountinfo(5) */
export interface Mount {
  /** major:minor, another one for each instance of a file system */
  readonly device: string
  /** the path in the file system that is mounted here */
  readonly root: string
  readonly target: string
  readonly isReadOnly: boolean
  readonly type: string
}

/** Spaces and backslashes in paths are written in octal. */
function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

function mountOf(line: string): Mount {
  const [head = '', tail = ''] = line.split(' - ')
  const [, , device = '', root = '', target = '', options = ''] = head.split(' ')
  return {
    device,
    root: unescapePath(root),
    target: unescapePath(target),
    isReadOnly: options.split(',').includes('ro'),
    type: tail.split(' ')[0] ?? '',
  }
}

async function mountsOf(process: number | 'self'): Promise<readonly Mount[]> {
  const text = await readFile(`/proc/${process}/mountinfo`, 'utf8')
  return text.trim().split('\n').map(mountOf)
}

/** The file system that is mounted at a directory: the last one on top of others; null = none. Asks the kernel, not the file system. */
export async function fileSystemAt(directory: string): Promise<Pick<Mount, 'device' | 'type'> | null> {
  return (await mountsOf('self')).findLast(({ target }) => target === directory) ?? null
}

/** A file to be bound anew into the mount namespace of a process. */
const boundFile = z.object({ source: z.string(), target: z.string(), isReadOnly: z.boolean() })
export type BoundFile = z.output<typeof boundFile>
export const guestFiles = z.object({ pid: z.number(), files: z.array(boundFile) })
export type GuestFiles = z.output<typeof guestFiles>

/** What a process has bound of an earlier instance of the file system at `directory`, with where it is now. */
export async function staleFiles(pid: number, directory: string): Promise<readonly BoundFile[]> {
  const present = await fileSystemAt(directory)
  if (!present) return []
  return (await mountsOf(pid))
    .filter(({ type, device }) => type === present.type && device !== present.device)
    .map(({ root, target, isReadOnly }) => ({ source: `${directory}${root}`, target, isReadOnly }))
}

const outcome = z.array(z.object({ pid: z.number(), error: z.string().nullable() }))

/**
 * Binds files anew, by a process of its own: a mount namespace is entered by a thread that shares nothing with others.
 *
 * @returns why it failed, per process; null = its files are the new ones
 * @throws  Unavailable when the file system does not answer
 */
export async function renewFiles(guests: readonly GuestFiles[]): Promise<z.output<typeof outcome>> {
  const program = fileURLToPath(new URL('renew-files.ts', import.meta.url))
  const words = ['--disable-warning=ExperimentalWarning', program]
  const { stdout, stderr, timedOut } = await execa(execPath, words, {
    input: JSON.stringify(guests),
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    reject: false,
  })
  if (timedOut) throw new Unavailable(`files were not bound anew within ${timeoutMs / 1000} s`)
  if (!stdout.startsWith('[')) throw new Unavailable(`files were not bound anew: ${stderr.slice(-500)}`)
  return outcome.parse(JSON.parse(stdout))
}
