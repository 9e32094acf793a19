/** Frames as tcpdump sees them: whatever the stack behind the device would make of them. */
import { createInterface } from 'node:readline'
import { execa } from 'execa'

/**
 * All frames that come in at a device while `work` runs, in hexadecimal without spaces, a line each; tags are in them. `work` is given
 * what asks for those seen so far.
 *
 * @param path of the namespace that the device is in; null = the host's
 */
export async function whileCapturing(
  path: string | null,
  work: (seen: () => string) => Promise<void>,
  device = 'eth0',
): Promise<string> {
  const place = path === null ? [] : ['nsenter', `--net=${path}`]
  const words = ['-i', device, '-Q', 'in', '-n', '-l', '-xx', '-U', '--immediate-mode']
  const child = execa('env', [...place, 'tcpdump', ...words], { reject: false })
  let text = ''
  createInterface({ input: child.stdout }).on('line', (line) => {
    const bytes = /^\s+0x[0-9a-f]+:\s+([0-9a-f ]+)/.exec(line)?.[1]
    text += bytes === undefined ? '\n' : bytes.replaceAll(' ', '')
  })
  try {
    await new Promise<void>((resolve) => child.stderr.once('data', () => resolve()))
    await work(() => text)
    return text
  } finally {
    child.kill()
    await child
  }
}
