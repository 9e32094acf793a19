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
  // A table that is not there is not there; without nft nobody has made one.
  for (const family of ['bridge', 'inet'])
    await execa('nft', ['delete', 'table', family, owner], { reject: false, timeout: timeoutMs })
}
