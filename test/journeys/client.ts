/** A real client, as its users run it. */
import { resolve } from 'node:path'
import { execa } from 'execa'
import { Cloud } from '../../machine/cloud.ts'
import { until, type TestCloud } from '../world/index.ts'

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
  readonly #waitsItself: boolean
  #session: Promise<Cloud> | null = null

  /** @param waitsItself whether `--wait` is the client's own, which looks every 5 s; else the test looks, and more often */
  constructor(
    cloud: TestCloud,
    {
      command = 'openstack',
      waitsItself = false,
    }: { readonly command?: Client['command']; readonly waitsItself?: boolean } = {},
  ) {
    this.#cloud = cloud
    this.#waitsItself = waitsItself
    this.command = command
  }

  /** Runs the client with these words. */
  async try(...words: readonly string[]): Promise<Said> {
    if (this.#waitsItself || !words.includes('--wait')) return await this.#say(words)
    const said = await this.#say(words.filter((word) => word !== '--wait'))
    if (said.exitCode !== 0) return said
    const failed = await this.#settled(words)
    return failed === null ? said : { ...said, error: failed, exitCode: 1 }
  }

  /** No server that the words name is at work any more, and none is deleted half. @returns what failed, or null */
  async #settled(words: readonly string[]): Promise<string | null> {
    this.#session ??= Cloud.open(this.#cloud.site.config, this.#cloud.adminPassword)
    const session = await this.#session
    const found = await until(
      async () => {
        const named = (await session.servers()).filter(({ name }) => words.includes(name))
        if (words.includes('delete')) return named.length === 0 && { named }
        return named.every((one) => one['OS-EXT-STS:task_state'] === null) && { named }
      },
      { timeoutMs: 120_000, what: words.join(' ') },
    )
    const broken = found.named.find(({ status }) => status === 'ERROR')
    return broken ? `${broken.name}: ${broken.fault?.message ?? 'ERROR'}` : null
  }

  async #say(words: readonly string[]): Promise<Said> {
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

  /** Nobody answers there within the time that anybody takes. */
  async isSilent(address: string): Promise<boolean> {
    return (await this.ssh(address, 'true', 'root', 4000)) === null
  }

  /** A command in a guest, over ssh with the cloud's key. @returns what it said, or null when nobody answered */
  async ssh(address: string, command: string, user = 'root', timeoutMs = 20_000): Promise<string | null> {
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
    const { stdout, exitCode } = await execa('ssh', words, { reject: false, timeout: timeoutMs, stdin: 'ignore' })
    return exitCode === 255 || exitCode === undefined ? null : stdout.trim()
  }
}
