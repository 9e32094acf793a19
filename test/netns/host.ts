/** A host of a test's own: a network namespace around the test, with an ovsdb-server and an ovs-vswitchd inside. */
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import koffi from 'koffi'

const cloneNewNet = 0x40000000
const libc = koffi.load('libc.so.6')
const unshare = libc.func('int unshare(int flags)')
const setns = libc.func('int setns(int fd, int nstype)')

/** Tries until `attempt` returns something else than null, undefined or false; what it throws counts as not yet. */
export async function until<T>(attempt: () => T | Promise<T>, timeoutMs = 20_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs
  let last: unknown
  while (performance.now() < deadline) {
    try {
      const value = await attempt()
      if (value !== null && value !== undefined && value !== false) return value
    } catch (error) {
      last = error
    }
    await sleep(10)
  }
  throw new Error(`not within ${timeoutMs / 1000} s`, { cause: last })
}

/** The test's own network namespace: what the test and its children do on "the host" stays in here. */
class PrivateNetwork {
  readonly #home = openSync('/proc/thread-self/ns/net', 'r')

  constructor() {
    if (unshare(cloneNewNet) !== 0) throw new Error(`no network namespace for the test, errno ${koffi.errno()}`)
  }

  leave(): void {
    if (setns(this.#home, cloneNewNet) !== 0) process.abort()
    closeSync(this.#home)
  }
}

/** A daemon that a test started; it ends when told, and is waited for. */
class Daemon {
  readonly #child

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = execa(command, args, { env, reject: false, all: true, stdin: 'ignore', buffer: { all: false } })
    this.#child.all.resume()
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal)
    await this.#child
  }

  /** A stopped daemon answers nobody, until `carryOn`. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  carryOn(): void {
    this.#child.kill('SIGCONT')
  }
}

export class TestHost {
  readonly directory: string
  readonly #network: PrivateNetwork
  readonly #env: Readonly<Record<string, string>>
  #database: Daemon | null = null
  #switch: Daemon | null = null

  private constructor(directory: string, network: PrivateNetwork) {
    this.directory = directory
    this.#network = network
    this.#env = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory, OVS_SYSCONFDIR: directory }
  }

  /** @param hasSwitch whether Open vSwitch runs there */
  static async start({ hasSwitch = true }: { readonly hasSwitch?: boolean } = {}): Promise<TestHost> {
    const directory = await mkdtemp(join(tmpdir(), 'berth-netns-'))
    const host = new TestHost(directory, new PrivateNetwork())
    try {
      await execa('ip', ['link', 'set', 'lo', 'up'])
      if (!hasSwitch) return host
      const schema = '/usr/share/openvswitch/vswitch.ovsschema'
      await execa('ovsdb-tool', ['create', join(directory, 'conf.db'), schema], { timeout: 10_000 })
      await host.startDatabase()
      await host.vsctl('--no-wait', 'init')
      await host.startSwitch()
    } catch (error) {
      await host.stop()
      throw error
    }
    return host
  }

  get socket(): string {
    return join(this.directory, 'db.sock')
  }

  get namespaces(): string {
    return join(this.directory, 'netns')
  }

  async startDatabase(): Promise<void> {
    const remote = `--remote=punix:${this.socket}`
    this.#database = new Daemon(
      'ovsdb-server',
      [join(this.directory, 'conf.db'), remote, ...this.#quiet('db')],
      this.#env,
    )
    await until(() => execa('ovs-vsctl', [`--db=unix:${this.socket}`, '--no-wait', '--timeout=2', 'show']))
  }

  async stopDatabase(): Promise<void> {
    await this.#database?.end('SIGTERM')
  }

  /** The switch has taken its configuration when this returns. */
  async startSwitch(): Promise<void> {
    this.#switch = new Daemon('ovs-vswitchd', [`unix:${this.socket}`, ...this.#quiet('vswitchd')], this.#env)
    await this.vsctl('set', 'Open_vSwitch', '.', 'external_ids:test=started')
  }

  /** As by a crash. */
  async killSwitch(): Promise<void> {
    await this.#switch?.end('SIGKILL')
  }

  freezeSwitch(): void {
    this.#switch?.freeze()
  }

  carryOnSwitch(): void {
    this.#switch?.carryOn()
  }

  async vsctl(...args: readonly string[]): Promise<string> {
    const { stdout } = await execa('ovs-vsctl', [`--db=unix:${this.socket}`, '--timeout=20', ...args])
    return stdout
  }

  async ofctl(command: string, bridge: string, ...words: readonly string[]): Promise<string> {
    const { stdout } = await execa('ovs-ofctl', [command, `unix:${join(this.directory, `${bridge}.mgmt`)}`, ...words])
    return stdout
  }

  /** All that stands on the host is gone when this returns. Close what has the database open first. */
  async stop(): Promise<void> {
    await this.#switch?.end('SIGTERM')
    await this.#database?.end('SIGTERM')
    this.#network.leave()
    await rm(this.directory, { recursive: true, force: true })
  }

  #quiet(name: string): readonly string[] {
    return [`--unixctl=${join(this.directory, `${name}.ctl`)}`, '--no-chdir', '-vconsole:off', '-vsyslog:off']
  }
}

/** Runs a command inside a guest's network namespace. */
export async function inNamespace(path: string, command: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execa('nsenter', [`--net=${path}`, command, ...args], { timeout: 30_000 })
  return stdout
}

/** How many of three pings are answered. */
export async function pings(path: string | null, address: string): Promise<number> {
  const ping = ['ping', '-n', '-q', '-c', '3', '-i', '0.2', '-W', '1', address]
  const command = path === null ? ping : ['nsenter', `--net=${path}`, ...ping]
  const { stdout } = await execa('env', command, { reject: false, timeout: 20_000 })
  return Number(/(\d+) received/.exec(stdout)?.[1] ?? Number.NaN)
}
