/** The way from a server that looks for a host to a place that is promised to it. */
import { NoValidHost } from '../core/errors.ts'
import type { Server } from '../core/server.ts'
import type { Db, Transaction } from '../db/connect.ts'
import type { HostPlace } from '../db/host-places.ts'
import { lockServerGroup } from '../db/server-groups.ts'
import { choose, suitsGroup } from './choose.ts'
import { neighboursOf } from './neighbours.ts'
import type { Question, Wish } from './question.ts'
import type { Site } from './site.ts'

/** Hosts that are tried before the book is read anew: who loses so often reads an old page. */
const triesPerPage = 4

function looksAt({ config }: Site, name: string): boolean {
  return (
    config.schedulerWeighers.some((text) => text.startsWith(`${name}=`)) ||
    config.schedulerFilters.some((filter) => filter === name)
  )
}

/** What is asked of hosts on behalf of a server; `wish` differs from the server where it must not go back to where it is. */
async function questionFor(
  site: Site,
  server: Server,
  { wish, subnets }: { readonly wish: Partial<Wish>; readonly subnets: readonly string[] },
): Promise<Question> {
  const { db, book } = site
  const [neighbours, imageHosts, portsByRack] = await Promise.all([
    neighboursOf(db, server),
    looksAt(site, 'image-present') ? book.imageHosts(server.imageReference) : new Set<string>(),
    book.portsByRack(subnets),
  ])
  return { server: { ...server, lot: server.id, ...wish }, neighbours, imageHosts, portsByRack }
}

/** Others of the group may have found places in the meantime; from now on they wait for this transaction. */
export async function stillSuits(
  trx: Transaction,
  { config }: Site,
  server: Server,
  host: HostPlace,
): Promise<boolean> {
  if (server.serverGroupId === null) return true
  await lockServerGroup(trx, server.serverGroupId)
  const question = await questionOfGroup(trx, server)
  return suitsGroup(host, question, config)
}

async function questionOfGroup(db: Db, server: Server): Promise<Question> {
  const neighbours = await neighboursOf(db, server)
  return { server: { ...server, lot: server.id }, neighbours, imageHosts: new Set(), portsByRack: new Map() }
}

/**
 * Goes from the best host to the worst until `take` says that a place was promised. What a page of a moment ago refuses, or promises in
 * vain, is asked again of a fresh one: a server is never sent away for what is no more true.
 *
 * @throws NoValidHost with the reason of every host
 */
export async function findHost(
  site: Site,
  server: Server,
  { wish = {}, take }: { readonly wish?: Partial<Wish>; readonly take: (host: HostPlace) => Promise<boolean> },
): Promise<void> {
  const lost: Record<string, string> = {}
  const isSpread = looksAt(site, 'subnet-balance') && (await site.book.hasRacks())
  const subnets = isSpread ? await site.crowd.subnetsOf(server.id) : []
  for (let isFresh = false; ; isFresh = true) {
    const question = await questionFor(site, server, { wish, subnets })
    const page = await site.book.page({ isFresh })
    // From here to what is expected nothing else runs: two servers never go for the same last place by the same page.
    const hosts = [...page.hosts.values()].filter(({ name }) => lost[name] === undefined)
    const { fitting } = choose(hosts, question, site.config, triesPerPage)
    for (const { host } of fitting) {
      const takeBack = site.book.expect(host.name, question.server.flavor, subnets)
      let isTaken = false
      try {
        isTaken = await take(host)
      } finally {
        if (!isTaken) takeBack()
      }
      if (isTaken) return
      lost[host.name] = 'another server took the last place'
    }
    // Why a host refused the claim the page says that was read since: its own reason counts.
    if (fitting.length === 0 && page.isFresh) {
      const { reasons } = choose([...page.hosts.values()], question, site.config)
      throw new NoValidHost({ ...lost, ...reasons })
    }
  }
}
