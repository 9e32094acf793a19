/** Mounts of the host, by util-linux's commands. */
import { execa } from 'execa'
import { Unavailable } from '../../core/errors.ts'

const mountTimeoutMs = 20_000

export async function isMounted(path: string): Promise<boolean> {
  const { exitCode } = await execa('mountpoint', ['--quiet', path], { reject: false, timeout: mountTimeoutMs })
  return exitCode === 0
}

/** @param directory that relative paths among the words start from */
export async function mount(words: readonly string[], directory = '/'): Promise<void> {
  const { exitCode, stderr } = await execa('mount', [...words], {
    cwd: directory,
    reject: false,
    timeout: mountTimeoutMs,
  })
  if (exitCode !== 0) throw new Unavailable(`The disk was not mounted: ${stderr}`)
}

/** What is not mounted counts as unmounted. */
export async function unmount(path: string): Promise<void> {
  if (!(await isMounted(path))) return
  const { exitCode, stderr } = await execa('umount', [path], { reject: false, timeout: mountTimeoutMs })
  if (exitCode !== 0) throw new Unavailable(`The disk was not unmounted: ${stderr}`)
}
