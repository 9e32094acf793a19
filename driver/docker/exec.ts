/** Commands in a running guest. */
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'
import { Unavailable } from '../../core/errors.ts'

export interface ExecResult {
  readonly exitCode: number
  readonly output: string
}

/** Runs a command as the container's root, on a terminal. @throws Unavailable when it does not end in time; it goes on in the guest */
export async function execIn(
  container: Docker.Container,
  command: readonly string[],
  timeoutMs: number,
): Promise<ExecResult> {
  const exec = await container.exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true, Tty: true })
  const stream = await exec.start({ Tty: true })
  const chunks: Buffer[] = []
  const ended = new Promise<true>((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('end', () => resolve(true))
    stream.once('error', reject)
  })
  const timer = new AbortController()
  try {
    const isInTime = await Promise.race([ended, sleep(timeoutMs, false, { signal: timer.signal })])
    if (!isInTime) throw new Unavailable(`${command.join(' ')} did not end within ${timeoutMs} ms`)
  } finally {
    timer.abort()
    stream.destroy()
  }
  const { ExitCode } = await exec.inspect()
  return { exitCode: ExitCode ?? -1, output: Buffer.concat(chunks).toString('utf8').replaceAll('\r\n', '\n') }
}
