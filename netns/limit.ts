/** The rows of Open vSwitch that hold what a port sends to its device under a limit. Source: ovs-vswitchd.conf.db(5), QoS, linux-htb */
import type { RateLimit } from '../core/network.ts'
import { ovsMap, type Operation } from './ovsdb.ts'

/** The condition on external_ids by which the rows of one port are found again. */
export type Mark = readonly ['external_ids', 'includes', ReturnType<typeof ovsMap>]

const bitsPerKbit = 1000

/** Open vSwitch keeps these rows until they are deleted, whether a port has them or not. */
export function withoutLimit(device: string, mark: Mark): readonly Operation[] {
  return [
    { op: 'update', table: 'Port', where: [['name', '==', device]], row: { qos: ['set', []] } },
    ...['QoS', 'Queue'].map((table) => ({ op: 'delete', table, where: [mark] })),
  ]
}

interface Place {
  readonly device: string
  readonly mark: Mark
  /** tells the new rows of one transaction apart */
  readonly index: number
  /** whether the port has a limit already */
  readonly isThere: boolean
}

/** One queue for all: the limit is that of the port as a whole. */
export function limitOperations(limit: RateLimit, { device, mark, index, isThere }: Place): readonly Operation[] {
  const all = { 'max-rate': `${limit.rate * bitsPerKbit}` }
  const queue = { ...all, burst: `${limit.burst * bitsPerKbit}` }
  if (isThere)
    return [
      { op: 'update', table: 'QoS', where: [mark], row: { other_config: ovsMap(all) } },
      { op: 'update', table: 'Queue', where: [mark], row: { other_config: ovsMap(queue) } },
    ]
  const [, , externalIds] = mark
  const queues = ['map', [[0, ['named-uuid', `queue${index}`]]]]
  return [
    {
      op: 'insert',
      table: 'Queue',
      'uuid-name': `queue${index}`,
      row: { other_config: ovsMap(queue), external_ids: externalIds },
    },
    {
      op: 'insert',
      table: 'QoS',
      'uuid-name': `qos${index}`,
      row: { type: 'linux-htb', other_config: ovsMap(all), external_ids: externalIds, queues },
    },
    { op: 'update', table: 'Port', where: [['name', '==', device]], row: { qos: ['named-uuid', `qos${index}`] } },
  ]
}
