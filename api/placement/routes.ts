/** The tree of /placement: the scheduler's books, to look at. They are kept by the scheduler alone. */
import { Invalid, NotFound } from '../../core/errors.ts'
import { traitsOf } from '../../db/host-traits.ts'
import { hostsWithUse } from '../../db/hosts.ts'
import type { Call, Reply, Route } from '../route.ts'
import { resourceClasses } from './amounts.ts'
import { allocations, candidates, usages } from './consumers.ts'
import * as providers from './providers.ts'
import { look, newest } from './version.ts'

const versions = [
  {
    id: 'v1.0',
    min_version: '1.0',
    max_version: `1.${newest}`,
    status: 'CURRENT',
    links: [{ rel: 'self', href: '' }],
  },
]

function classView(name: string): Readonly<Record<string, unknown>> {
  return { name, links: [{ rel: 'self', href: `/placement/resource_classes/${name}` }] }
}

function classOf({ params: { name = '' } }: Call): Reply {
  const known = resourceClasses.find((one) => one === name)
  if (known === undefined) throw new NotFound('Resource class', name)
  return { status: 200, body: classView(known) }
}

async function traitNames({ db }: Call): Promise<readonly string[]> {
  return [...new Set((await hostsWithUse(db)).flatMap(traitsOf))].toSorted()
}

/** `name=in:A,B` or `name=startswith:A` */
async function traitList(call: Call): Promise<Reply> {
  const [how = '', words = ''] = (call.query.get('name') ?? 'startswith:').split(':')
  if (how !== 'in' && how !== 'startswith') throw new Invalid('Badly formatted name parameter: in: or startswith:')
  const isAsked = (name: string): boolean => (how === 'in' ? words.split(',').includes(name) : name.startsWith(words))
  return { status: 200, body: { traits: (await traitNames(call)).filter(isAsked) } }
}

async function checkTrait(call: Call): Promise<Reply> {
  const { name = '' } = call.params
  if (!(await traitNames(call)).includes(name)) throw new NotFound('Trait', name)
  return { status: 204 }
}

const provider = '/resource_providers/:uuid'

export const placementRoutes: readonly Route[] = [
  { method: 'get', path: '/', open: true, run: () => ({ status: 200, body: { versions } }) },
  look('/resource_providers', 0, providers.index),
  look(provider, 0, providers.show),
  look(`${provider}/inventories`, 0, providers.inventories),
  look(`${provider}/inventories/:name`, 0, providers.inventory),
  look(`${provider}/usages`, 0, providers.usages),
  look(`${provider}/aggregates`, 1, providers.aggregates),
  look(`${provider}/traits`, 6, providers.traits),
  look(`${provider}/allocations`, 0, providers.allocations),
  look('/resource_classes', 2, () => ({ status: 200, body: { resource_classes: resourceClasses.map(classView) } })),
  look('/resource_classes/:name', 2, classOf),
  look('/traits', 6, traitList),
  look('/traits/:name', 6, checkTrait),
  look('/usages', 9, usages),
  look('/allocations/:consumer', 0, allocations),
  look('/allocation_candidates', 10, candidates),
]
