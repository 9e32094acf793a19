/** Commands in a running guest. */
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'
import { Unavailable } from '../../core/errors.ts'
import type { ExecResult } from '../driver.ts'

/** Runs a command as the container's root, on a terminal unless it is given `input`. @throws Unavailable when it does not end in time; it goes on in the guest */
export async function execIn(
  container: Docker.Container,
  command: readonly string[],
  timeoutMs: number,
  input?: string,
): Promise<ExecResult> {
  const hasInput = input !== undefined
  // A terminal would show what is written to it.
  const ends = { AttachStdin: hasInput, AttachStdout: true, AttachStderr: true, Tty: !hasInput }
  const exec = await container.exec({ Cmd: [...command], ...ends })
  const stream = await exec.start({ Tty: !hasInput, hijack: hasInput, stdin: hasInput })
  const chunks: Buffer[] = []
  const ended = new Promise<true>((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('end', () => resolve(true))
    stream.once('error', reject)
  })
  if (hasInput) stream.end(input)
  const timer = new AbortController()
  try {
    const isInTime = await Promise.race([ended, sleep(timeoutMs, false, { signal: timer.signal })])
    if (!isInTime) throw new Unavailable(`${command.join(' ')} did not end within ${timeoutMs} ms`)
  } finally {
    timer.abort()
    stream.destroy()
  }
  const { ExitCode } = await exec.inspect()
  const output = hasInput ? withoutFrames(Buffer.concat(chunks)) : Buffer.concat(chunks)
  return { exitCode: ExitCode ?? -1, output: output.toString('utf8').replaceAll('\r\n', '\n') }
}

/** Without a terminal the engine puts 8 bytes before each piece: the stream's number, and its length. Source: Docker's API, attach. */
function withoutFrames(framed: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at + 8 <= framed.length;) {
    const end = at + 8 + framed.readUInt32BE(at + 4)
    pieces.push(framed.subarray(at + 8, end))
    at = end
  }
  return Buffer.concat(pieces)
}
