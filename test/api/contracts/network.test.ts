/** Every route of Network v2.0 is asked, and its answer judged. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { lowest } from '../../../api/microversion.ts'
import { addHost, startApi, type TestApi } from '../fixture.ts'
import { each, liveOn, make, type Kind } from './life.ts'
import { absent, networks } from './network.ts'
import { unseen, walker } from './walk.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
})
afterAll(async () => {
  await api.stop()
})

const at = '/networking/v2.0'
const ask = walker(lowest)
const kind = (path: string, one: string): Kind => ({ client: api.admin, path: `${at}/${path}`, one })
const removed = (path: string): Promise<unknown> => ask(api.admin, `DELETE ${at}/${path}`)

async function tagged(path: string): Promise<void> {
  const tags = `${at}/${path}/tags`
  await ask(api.admin, `PUT ${tags}`, { body: { tags: ['red', 'green'] } })
  await each(ask, api.admin, [`GET ${tags}`, `PUT ${tags}/blue`, `GET ${tags}/blue`, `DELETE ${tags}/blue`])
  await ask(api.admin, `DELETE ${tags}`)
}

test('networks, subnets and ports live, are tagged, and go', async () => {
  const change = ['PUT', { name: 'other' }] as const
  const network = await liveOn(ask, kind('networks', 'network'), { wish: { name: 'dock' }, change })
  const range = { network_id: network, ip_version: 4, cidr: '10.50.0.0/24' }
  const subnet = await liveOn(ask, kind('subnets', 'subnet'), { wish: range, change })
  const port = await liveOn(ask, kind('ports', 'port'), { wish: { network_id: network }, change })
  const other = await make(ask, kind('ports', 'port'), { network_id: network })
  await each(ask, api.admin, [`GET ${at}/ports/${port}/state`, `GET ${at}/ports/${port}/trace?to=${other}`])
  for (const path of [`networks/${network}`, `subnets/${subnet}`, `ports/${port}`]) await tagged(path)
  for (const path of [`ports/${port}`, `ports/${other}`, `subnets/${subnet}`, `networks/${network}`])
    await removed(path)
})

test('security groups and their rules live and go; a rule is never changed', async () => {
  const wish = { name: 'web' }
  const group = await liveOn(ask, kind('security-groups', 'security_group'), { wish, change: ['PUT', { name: 'w' }] })
  const allowed = { security_group_id: group, direction: 'ingress', protocol: 'tcp', port_range_min: 22 }
  const rules = kind('security-group-rules', 'security_group_rule')
  const rule = await liveOn(ask, rules, { wish: { ...allowed, port_range_max: 22 }, change: null })
  await tagged(`security-groups/${group}`)
  await removed(`security-group-rules/${rule}`)
  await removed(`security-groups/${group}`)
})

test('policies, and the limits in them, live and go', async () => {
  const change = ['PUT', { name: 'slower' }] as const
  const policy = await liveOn(ask, kind('qos/policies', 'policy'), { wish: { name: 'slow' }, change })
  const limits = kind(`qos/policies/${policy}/bandwidth_limit_rules`, 'bandwidth_limit_rule')
  const limit = await liveOn(ask, limits, { wish: { max_kbps: 1000 }, change: ['PUT', { max_kbps: 2000 }] })
  await each(ask, api.admin, [`GET ${at}/qos/rule-types`, `GET ${at}/qos/rule-types/bandwidth_limit`])
  await removed(`qos/policies/${policy}/bandwidth_limit_rules/${limit}`)
  await removed(`qos/policies/${policy}`)
})

test('quotas are shown, set, and taken back', async () => {
  const own = `${at}/quotas/${api.projectId}`
  await ask(api.admin, `PUT ${own}`, { body: { quota: { port: 50 } } })
  const looks = [own, `${own}/default`, `${own}/details`, `${own}/details.json`]
  const paths = [`${at}/quotas`, `${at}/quotas/tenant`, `${at}/quotas/project`, ...looks]
  await each(
    ask,
    api.admin,
    paths.map((path) => `GET ${path}`),
  )
  await ask(api.admin, `DELETE ${own}`)
})

test('what the service says of itself', async () => {
  await each(ask, api.nobody, ['GET /networking/', `GET ${at}`, `GET ${at}/`])
  const looks = ['extensions', 'extensions/security-group', ...absent, 'availability_zones', 'agents']
  await each(
    ask,
    api.admin,
    looks.map((path) => `GET ${at}/${path}`),
  )
})

test('no route was left out', () => {
  expect(unseen(api.book, networks)).toEqual([])
})
