/** A real client, as its users run it. */
import { resolve } from 'node:path'
import { execa } from 'execa'
import type { TestCloud } from '../world/index.ts'

/** Debian's own Python and packages, whatever else the machine has. */
const path = '/usr/bin:/usr/sbin:/bin'

export interface Said {
  readonly text: string
  readonly error: string
  readonly exitCode: number
}

export class Client {
  readonly #cloud: TestCloud
  readonly command: 'openstack' | 'nova' | 'berth'

  constructor(cloud: TestCloud, { command = 'openstack' }: { readonly command?: Client['command'] } = {}) {
    this.#cloud = cloud
    this.command = command
  }

  /** Runs the client with these words. */
  async try(...words: readonly string[]): Promise<Said> {
    const env = {
      PATH: path,
      HOME: this.#cloud.site.layout.home,
      OS_AUTH_URL: `${this.#cloud.url}/identity/v3`,
      OS_USERNAME: 'admin',
      OS_PASSWORD: this.#cloud.adminPassword,
      OS_PROJECT_NAME: 'admin',
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
      OS_REGION_NAME: 'RegionOne',
      OS_IDENTITY_API_VERSION: '3',
    }
    const own = [process.execPath, '--disable-warning=ExperimentalWarning', resolve('cli', 'main.ts')]
    const [program = '', ...first] = this.command === 'berth' ? own : [this.command]
    const { stdout, stderr, exitCode } = await execa(program, [...first, ...words], {
      env,
      extendEnv: false,
      reject: false,
      timeout: 120_000,
    })
    return { text: stdout.trim(), error: stderr.trim(), exitCode: exitCode ?? -1 }
  }

  /** As `try`. @throws with the client's words when it failed */
  async run(...words: readonly string[]): Promise<string> {
    const { text, error, exitCode } = await this.try(...words)
    if (exitCode !== 0) throw new Error(`${this.command} ${words.join(' ')}: ${error}`)
    return text
  }

  /** One column of one row. */
  async value(column: string, ...words: readonly string[]): Promise<string> {
    return await this.run(...words, '-f', 'value', '-c', column)
  }

  /** A command in a guest, over ssh with the cloud's key. @returns what it said, or null when nobody answered */
  async ssh(address: string, command: string, user = 'root'): Promise<string | null> {
    const options = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
      'ConnectTimeout=3',
      'BatchMode=yes',
    ]
    const words = [
      '-i',
      this.#cloud.sshKeyPath,
      ...options.flatMap((one) => ['-o', one]),
      `${user}@${address}`,
      command,
    ]
    const { stdout, exitCode } = await execa('ssh', words, { reject: false, timeout: 20_000, stdin: 'ignore' })
    return exitCode === 255 || exitCode === undefined ? null : stdout.trim()
  }
}
