/** The first server: made once, logged in to, and left to its owner. */
import { join } from 'node:path'
import { execa } from 'execa'
import { Unavailable } from '../core/errors.ts'
import { gatewayDevice } from '../core/network.ts'
import { gatewayNamespaces, isNamespace } from '../netns/namespace.ts'
import { addressOf, Cloud, type CloudServer } from './cloud.ts'
import type { Site } from './parts/part.ts'
import { adminPassword, sshKey, sshKeyPath } from './secrets.ts'
import { until } from './until.ts'

const name = 'hello'
const image = 'debian-12'
const flavor = 'm1.tiny'
const keypair = 'berth'

/** The words of an ssh command to a guest; the guest's host key is new each time it is made, so it is not remembered. */
export function sshWords(site: Site, address: string): readonly string[] {
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'ConnectTimeout=5']
  return ['-i', sshKeyPath(site), ...options.flatMap((option) => ['-o', option]), `root@${address}`]
}

/** The command that logs in to a server; where its network overlaps another, from the namespace of its gateway. */
export async function sshCommand(
  site: Site,
  cloud: Cloud,
  server: CloudServer,
): Promise<readonly [string, ...string[]]> {
  const networkId = await cloud.networkOf(server.id)
  const { directory } = gatewayNamespaces({ directory: join(site.layout.run, 'netns') })
  const path = networkId === null ? null : join(directory, gatewayDevice(networkId))
  const words = ['ssh', ...sshWords(site, addressOf(server))] as const
  return path !== null && isNamespace(path) ? ['nsenter', `--net=${path}`, ...words] : words
}

/** The server `hello`, active; a stopped one is started, one that stands is left. */
export async function bootHello(site: Site): Promise<CloudServer> {
  const cloud = await Cloud.open(site.config, await adminPassword(site))
  await cloud.ensureKeypair(keypair, await sshKey(site))
  const present = (await cloud.servers()).find((one) => one.name === name)
  const id =
    present?.id ?? (await cloud.createServer({ name, image, flavor, network: site.config.networkName, key: keypair }))
  if (present?.status === 'SHUTOFF') await cloud.start(id)
  return await until(`server ${name}`, site.config.bootTimeoutSeconds * 1000, async () => {
    const server = await cloud.server(id)
    if (server.status === 'ACTIVE') return server
    throw new Unavailable(`it is ${[server.status, server.fault?.message].filter(Boolean).join(': ')}`)
  })
}

/** Logs in and asks for the hostname. @returns what the guest said */
export async function logIn(site: Site, server: CloudServer): Promise<string> {
  const address = addressOf(server)
  return await until(`ssh to ${address}`, 30_000, async () => {
    const { stdout } = await execa('ssh', [...sshWords(site, address), 'hostname'], {
      timeout: 10_000,
      stdin: 'ignore',
    })
    return stdout.trim()
  })
}
