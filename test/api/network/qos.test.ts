/** QoS policies, and what they come to on a port. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { vifsOf } from '../../../db/vifs.ts'
import { boot, startApi, type Answer, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const root = '/networking/v2.0'
const shape = z.object({ policy: z.looseObject({ id: z.uuid() }) })
const ruleShape = z.object({ bandwidth_limit_rule: z.looseObject({ id: z.uuid() }) })
const fault = z.object({ NeutronError: z.object({ type: z.string() }) })

function typeOf({ status, body }: Answer): readonly [number, string] {
  return [status, fault.parse(body).NeutronError.type]
}

async function makePolicy(more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const answer = await api.admin(`POST ${root}/qos/policies`, { body: { policy: { name: 'slow', ...more } } })
  expect(answer.status).toBe(201)
  return shape.parse(answer.body).policy.id
}

async function addRule(policyId: string, rule: Readonly<Record<string, unknown>>): Promise<Answer> {
  const path = `${root}/qos/policies/${policyId}/bandwidth_limit_rules`
  return await api.admin(`POST ${path}`, { body: { bandwidth_limit_rule: rule } })
}

test('a policy is made by an administrator, and seen by others when it is shared', async () => {
  const mine = { body: { policy: { name: 'mine' } } }
  expect((await api.member(`POST ${root}/qos/policies`, mine)).status).toBe(403)
  const id = await makePolicy({ description: 'd' })
  expect((await api.stranger(`GET ${root}/qos/policies/${id}`)).status).toBe(404)
  const body = { policy: { shared: true, name: 'shared' } }
  expect((await api.admin(`PUT ${root}/qos/policies/${id}`, { body })).status).toBe(200)
  const seen = await api.stranger(`GET ${root}/qos/policies/${id}`)
  expect(seen.body).toMatchObject({ policy: { name: 'shared', shared: true, rules: [], description: 'd' } })
  expect((await api.admin(`DELETE ${root}/qos/policies/${id}`)).status).toBe(204)
  expect(typeOf(await api.admin(`GET ${root}/qos/policies/${id}`))).toEqual([404, 'QosPolicyNotFound'])
})

test('a policy has a limit of each direction, which is changed, shown and deleted', async () => {
  const id = await makePolicy()
  const made = await addRule(id, { max_kbps: 1000 })
  expect(made.body).toMatchObject({ bandwidth_limit_rule: { max_kbps: 1000, max_burst_kbps: 0, direction: 'egress' } })
  expect(typeOf(await addRule(id, { max_kbps: 5 }))).toEqual([409, 'QoSRulesConflict'])
  expect((await addRule(id, { max_kbps: 5, direction: 'ingress' })).status).toBe(201)
  const { bandwidth_limit_rule: rule } = ruleShape.parse(made.body)
  const path = `${root}/qos/policies/${id}/bandwidth_limit_rules/${rule.id}`
  const body = { bandwidth_limit_rule: { max_kbps: 2000 } }
  expect((await api.admin(`PUT ${path}`, { body })).body).toMatchObject({ bandwidth_limit_rule: { max_kbps: 2000 } })
  expect((await api.admin(`GET ${path}`)).body).toMatchObject({ bandwidth_limit_rule: { max_kbps: 2000 } })
  expect((await api.admin(`GET ${root}/qos/policies/${id}`)).body).toMatchObject({
    policy: { rules: [{ id: rule.id, type: 'bandwidth_limit' }, { direction: 'ingress' }] },
  })
  expect((await api.admin(`DELETE ${path}`)).status).toBe(204)
  expect(typeOf(await api.admin(`GET ${path}`))).toEqual([404, 'QosRuleNotFound'])
})

test('a project has one default policy, which its new networks have', async () => {
  const [first, second] = [await makePolicy({ is_default: true }), await makePolicy({ is_default: true })]
  const isDefault = async (id: string): Promise<unknown> =>
    shape.parse((await api.admin(`GET ${root}/qos/policies/${id}`)).body).policy.is_default
  expect([await isDefault(first), await isDefault(second)]).toEqual([false, true])
  const network = await api.admin(`POST ${root}/networks`, { body: { network: {} } })
  expect(network.body).toMatchObject({ network: { qos_policy_id: second } })
  expect(typeOf(await api.admin(`DELETE ${root}/qos/policies/${second}`))).toEqual([409, 'QosPolicyInUse'])
  await api.admin(`PUT ${root}/qos/policies/${second}`, { body: { policy: { is_default: false } } })
})

test('the policy of a port stands before that of its network, and the lower limit before the higher', async () => {
  const [ofNetwork, ofPort] = [await makePolicy({ shared: true }), await makePolicy({ shared: true })]
  await addRule(ofNetwork, { max_kbps: 8000, direction: 'ingress' })
  await addRule(ofPort, { max_kbps: 4000, max_burst_kbps: 1000 })
  const server = await boot(api)
  const limits = async (): Promise<unknown> => {
    const [vif] = await vifsOf(api.db, server)
    return [vif?.inbound, vif?.outbound]
  }
  expect(await limits()).toEqual([null, null])
  const give = (policy: string | null) => ({ body: { network: { qos_policy_id: policy } } })
  await api.admin(`PUT ${root}/networks/${api.networkId}`, give(ofNetwork))
  expect(await limits()).toEqual([{ rate: 8000, burst: 800 }, null])
  const ports = z.object({ ports: z.array(z.object({ id: z.uuid() })) })
  const { body } = await api.member(`GET ${root}/ports?device_id=${server}`)
  const id = ports.parse(body).ports[0]?.id ?? ''
  const changed = await api.member(`PUT ${root}/ports/${id}`, { body: { port: { qos_policy_id: ofPort } } })
  expect(changed.body).toMatchObject({ port: { qos_policy_id: ofPort } })
  expect(await limits()).toEqual([null, { rate: 4000, burst: 1000 }])
  await api.member(`PUT ${root}/ports/${id}`, { body: { port: { qos_policy_id: null } } })
  expect(await limits()).toEqual([{ rate: 8000, burst: 800 }, null])
  await api.admin(`PUT ${root}/networks/${api.networkId}`, give(null))
})
