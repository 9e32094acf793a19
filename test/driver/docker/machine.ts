/** A guest with a wire to the host of the test, and a key to log in with. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { execa } from 'execa'
import { nocloudSeed, type Seed } from '../../../driver/seed.ts'
import { RtNetlink } from '../../../netns/rtnetlink.ts'
import { until } from '../../world/index.ts'
import type { DockerSite } from './site.ts'

const device = 'berthtest0'
const gateway = '198.18.0.1'
export const address = '198.18.0.2'

async function wire(netnsPath: string): Promise<void> {
  using host = new RtNetlink(null)
  const namespace = openSync(netnsPath, 'r')
  try {
    const ends = { host: device, guest: 'eth0', guestMac: 'fa:16:3e:00:00:02', mtu: 1500, netnsPath }
    await host.createVeth(ends, namespace)
  } finally {
    closeSync(namespace)
  }
  const outside = await host.link(device)
  if (outside) await host.addAddress(outside.index, { address: gateway, prefixLength: 24 })
  using guest = new RtNetlink(netnsPath)
  await guest.loopbackUp()
  const inside = await guest.link('eth0')
  if (!inside) throw new Error('no eth0')
  await guest.addAddress(inside.index, { address, prefixLength: 24 })
  await guest.setUp(inside.index)
  await guest.addDefaultRoute(inside.index, gateway)
}

export class Machine {
  readonly serverId = randomUUID()
  readonly #site: DockerSite

  private constructor(site: DockerSite) {
    this.#site = site
  }

  /** Made and started; nothing is waited for. */
  static async boot(site: DockerSite, image: string, seed: Partial<Seed> = {}): Promise<Machine> {
    const machine = new Machine(site)
    const { serverId } = machine
    const namespace = await site.namespace(serverId)
    await wire(namespace.netnsPath)
    const publicKeys = [{ name: 'test', key: await readFile(`${await machine.#key()}.pub`, 'utf8') }]
    const own = { serverId, hostname: 'quay', projectId: 'p', availabilityZone: 'nova', publicKeys, userData: null }
    await site.driver.create({
      serverId,
      hostname: 'quay',
      image: await site.driver.ensureImage(image),
      vcpus: 1,
      cpuset: null,
      memoryMiB: 320,
      pidsLimit: 256,
      diskGiB: null,
      ...namespace,
      dns: ['192.0.2.53'],
      hosts: [{ address, names: ['quay'] }],
      files: nocloudSeed({ ...own, metadata: {}, adminPassword: null, ...seed }),
    })
    await site.driver.start(serverId)
    return machine
  }

  /** The first words of its sshd. */
  async banner(): Promise<string> {
    return await until(
      async () => {
        const socket = connect(22, address)
        try {
          const words: unknown = (await once(socket, 'data', { signal: AbortSignal.timeout(1000) })).at(0)
          return String(words)
        } finally {
          socket.destroy()
        }
      },
      { timeoutMs: 30_000, what: 'sshd' },
    )
  }

  async ssh(command: string, user = 'root'): Promise<string> {
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'BatchMode=yes']
    const words = ['-i', await this.#key(), ...options.flatMap((one) => ['-o', one]), `${user}@${address}`, command]
    const { all, exitCode } = await execa('ssh', words, { all: true, reject: false, timeout: 30_000, stdin: 'ignore' })
    if (exitCode === 255) throw new Error(all)
    return all.trim()
  }

  /** cloud-init has done its part. */
  async settled(): Promise<void> {
    const finished = async (): Promise<boolean> =>
      (await this.ssh('test -e /var/lib/cloud/instance/boot-finished && echo yes')) === 'yes'
    await until(finished, { timeoutMs: 50_000, what: 'the end of cloud-init' })
  }

  async remove(): Promise<void> {
    await this.#site.driver.remove(this.serverId)
    using host = new RtNetlink(null)
    await host.deleteLink(device)
  }

  async #key(): Promise<string> {
    const path = join(this.#site.directory, 'key')
    const { exitCode } = await execa('test', ['-e', path], { reject: false })
    if (exitCode !== 0) await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path])
    return path
  }
}
