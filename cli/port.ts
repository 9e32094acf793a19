/** berth port: how a port stands on its host, and what stops a packet on its way to another. */
import { Command, Option } from 'commander'
import { z } from 'zod'
import { Invalid } from '../core/errors.ts'
import { portState, tracedProtocols } from '../core/trace.ts'
import type { Client } from './client.ts'
import { exactName } from './server-name.ts'
import { show, type Shown, type Terminal } from './terminal.ts'
import { table, type Row } from './table.ts'
import { whole } from './whole.ts'

const port = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  mac_address: z.string(),
  network_id: z.string(),
  device_id: z.string(),
  fixed_ips: z.array(z.object({ ip_address: z.string() })),
  port_security_enabled: z.boolean(),
})
type Port = z.output<typeof port>
const ports = z.object({ ports: z.array(port) })

const state = z.object({
  state: portState.extend({ id: z.string(), host: z.string().nullable(), device: z.string().nullable() }),
})
type State = z.output<typeof state>['state']

const trace = z.object({
  trace: z.object({
    passes: z.boolean(),
    steps: z.array(z.object({ at: z.string(), passes: z.boolean(), reason: z.string() })),
  }),
})

const nothing = { bytes: 0, packets: 0, dropped: 0, errors: 0 }

const all = '/networking/v2.0/ports'
const words = 'its id, name, MAC address or address, or the name or id of its server'
const filters = ['id', 'name', 'device_id', 'mac_address'] as const

const servers = z.object({ servers: z.array(z.object({ id: z.string() })) })

async function portsOfServers(client: Client, name: string): Promise<readonly Port[]> {
  const query = { name: exactName(name), all_tenants: '1' }
  const named = await client.ask('/compute/v2.1/servers', { shape: servers, query })
  const each = named.servers.map(({ id }) => client.ask(all, { shape: ports, query: { device_id: id } }))
  return (await Promise.all(each)).flatMap((one) => one.ports)
}

/** By id, name, MAC address, address, or the id or name of a server that has one. @throws Invalid when it is none or several */
async function find(client: Client, word: string): Promise<Port> {
  const queries = [...filters.map((name) => ({ [name]: word })), { fixed_ips: `ip_address=${word}` }]
  const looks = [
    ...queries.map((query) => async () => (await client.ask(all, { shape: ports, query })).ports),
    () => portsOfServers(client, word),
  ]
  for (const look of looks) {
    const found = await look()
    const [one, ...others] = found
    if (one && others.length === 0) return one
    if (one) throw new Invalid(`${word} is ${found.length} ports: ${found.map(({ id }) => id).join(', ')}`)
  }
  throw new Invalid(`${word} is no port: ${words}`)
}

function shownPort(found: Port, { host, device, vlan, error, counters }: State): string {
  const rows: Row[] = Object.entries({
    id: found.id,
    name: found.name,
    status: found.status,
    mac: found.mac_address,
    addresses: found.fixed_ips.map(({ ip_address: address }) => address).join(', '),
    network: found.network_id,
    server: found.device_id,
    security: found.port_security_enabled ? 'on' : 'off',
    host,
    device,
    vlan,
    error,
  }).map(([field, value]) => ({ field, value }))
  for (const way of ['received', 'sent'] as const) {
    const { bytes, packets, dropped, errors } = counters?.[way] ?? nothing
    rows.push({ field: way, value: `${bytes} bytes, ${packets} packets, ${dropped} dropped, ${errors} errors` })
  }
  return table(rows)
}

function addShow(command: Command, terminal: Terminal): void {
  command
    .command('show')
    .description('a port: its addresses, where it stands, what it has carried, and why nothing passes')
    .argument('<port>', words)
    .option('--json', 'for programs')
    .action(async (word: string, { json }: Shown) => {
      const client = await terminal.client()
      const found = await find(client, word)
      const { state: there } = await client.ask(`${all}/${found.id}/state`, { shape: state })
      show(terminal, json, { ...found, ...there }, () => shownPort(found, there))
    })
}

interface Packet extends Shown {
  readonly protocol: string
  readonly port: number
  readonly ipv6?: boolean
}

function addTrace(command: Command, terminal: Terminal): void {
  command
    .command('trace')
    .description('whether a new connection from one port reaches another, and which rule decides; ends with 1 when not')
    .argument('<from>', words)
    .argument('<to>', words)
    .addOption(new Option('--protocol <protocol>', 'of the connection').choices(tracedProtocols).default('icmp'))
    .option('--port <number>', 'that is connected to, of TCP and UDP', whole, 0)
    .option('-6, --ipv6', 'between their IPv6 addresses')
    .option('--json', 'for programs')
    .action(async (from: string, to: string, { protocol, port: number, ipv6, json }: Packet) => {
      const client = await terminal.client()
      const [one, other] = [await find(client, from), await find(client, to)]
      const query = { to: other.id, protocol, port: String(number), family: ipv6 ? '6' : '4' }
      const { trace: said } = await client.ask(`${all}/${one.id}/trace`, { shape: trace, query })
      const rows = said.steps.map(({ at, passes, reason }) => ({ at, verdict: passes ? 'passes' : 'stops', reason }))
      show(terminal, json, said, () => table(rows))
      process.exitCode = said.passes ? 0 : 1
    })
}

export function portCommand(terminal: Terminal): Command {
  const command = new Command('port').description('how ports stand, and what stops a packet between them')
  addShow(command, terminal)
  addTrace(command, terminal)
  return command
}
