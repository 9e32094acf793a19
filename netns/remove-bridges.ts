/** After this no Linux bridge of an owner stands, no device on it, and no rule. */
import { execa } from 'execa'
import { LinuxBridges } from './linux-bridges.ts'
import { RtNetlink } from './rtnetlink.ts'

const timeoutMs = 10_000

/** In the host's own namespace: others go with all that stands in them. Where nothing is, nothing is done. */
export async function removeBridges(owner: string): Promise<void> {
  using here = new RtNetlink(null)
  const bridges = new LinuxBridges(owner, null)
  const links = await here.links()
  const ours = links.filter(
    ({ name, alias }) => alias?.startsWith(`${owner} `) === true || bridges.segmentOf(name) !== null,
  )
  for (const { name } of ours) {
    await here.deleteLink(name)
    await here.deleteLink(name.replace(/^tap/, 'ifb'))
  }
  await removeTables(owner, null)
}

/** A host whose guests are on Open vSwitch from now on has no bridges: their gateways would hold the addresses. With guests on them all stay. */
export async function leaveBridges(owner: string, netnsPath: string | null): Promise<void> {
  const bridges = new LinuxBridges(owner, netnsPath)
  const present = await bridges.list()
  const ports = present.flatMap((one) => one.ports).filter(({ alias }) => alias?.startsWith(`${owner} `) === true)
  if (present.length === 0 || ports.some(({ alias }) => alias?.startsWith(`${owner} port `) === true)) return
  using here = new RtNetlink(netnsPath)
  for (const { name } of [...ports, ...present.map(({ bridge }) => bridge)]) await here.deleteLink(name)
  await removeTables(owner, netnsPath)
}

/** A table that is not there is not there; without nft nobody has made one. */
async function removeTables(owner: string, netnsPath: string | null): Promise<void> {
  const inside = netnsPath === null ? [] : ['nsenter', `--net=${netnsPath}`]
  for (const family of ['bridge', 'inet']) {
    const words = [...inside, 'nft', 'delete', 'table', family, owner]
    await execa('env', words, { reject: false, timeout: timeoutMs })
  }
}
