/** `./berth audit`: names every drift of this cloud and this host, a line each; exit code 1 when there is any that was not mended. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadConfig, type Config } from '../core/config.ts'
import { counted } from '../core/counted.ts'
import { Invalid } from '../core/errors.ts'
import { connect, type Db } from '../db/connect.ts'
import { serversMoving } from '../db/moves.ts'
import { serversOnHost } from '../db/servers.ts'
import { DockerDriver } from '../driver/docker/driver.ts'
import { Bridge } from '../netns/bridge.ts'
import { bridgeSwitchOf } from '../netns/bridge-switch.ts'
import { Wires } from '../netns/index.ts'
import { firewallOf, OvsSwitch } from '../netns/ovs-switch.ts'
import { audit, type Finding } from './audit.ts'
import type { Scene } from './check.ts'
import { checks } from './checks/index.ts'

/** An engine that is asleep is told, not waited for. */
const callTimeoutMs = 20_000

function required(value: string | null, variable: string): string {
  if (value === null) throw new Invalid(`${variable} is not set: ./berth audit sets it for a cloud that is up`)
  return value
}

/** What stays the same from look to look. */
async function open(config: Config, db: Db): Promise<Omit<Scene, 'servers' | 'leaving' | 'guests' | 'plugged'>> {
  const driver = new DockerDriver({
    socketPath: required(config.dockerHost, 'DOCKER_HOST').replace(/^unix:\/\//, ''),
    ociDirectory: join(config.home, 'run', 'oci'),
    runtime: 'berth',
    cgroupParent: `/${config.namePrefix}`,
    lxcfsDir: null,
    callTimeoutMs,
  })
  const { guestRootUid } = await driver.capacity()
  const namespaces = { directory: join(config.home, 'run', 'netns'), guestRootUid }
  if (config.vifType === 'bridge') {
    const { kind } = bridgeSwitchOf(config.namePrefix, config.switchNamespace, config)
    return {
      config,
      db,
      driver,
      wires: new Wires(kind, namespaces, { spares: 0 }),
      bridge: null,
      namespaces,
      seenFlows: null,
    }
  }
  const ovsSocket = required(config.ovsSocket, 'BERTH_OVS_SOCKET')
  const bridge = new Bridge(ovsSocket, config.bridge, config.namePrefix, { netnsPath: config.switchNamespace })
  const firewall = firewallOf(ovsSocket, config.bridge, { hostReachesGuests: config.hostReachesGuests })
  const wires = new Wires(new OvsSwitch({ bridge, datapath: await bridge.datapath(), firewall }), namespaces, {
    spares: 0,
  })
  return { config, db, driver, wires, bridge, namespaces, seenFlows: () => firewall.seen() }
}

function print(findings: readonly Finding[]): void {
  for (const { check, text, remedy, isMended } of findings)
    process.stdout.write(`  ${isMended ? '+' : '✗'} ${check}: ${text} (${remedy})\n`)
  const open = findings.filter(({ isMended }) => !isMended).length
  const mended = findings.length - open
  process.stdout.write(
    `${checks.length} invariants, ${open === 0 ? 'no drift' : counted(open, 'drift')}${mended > 0 ? `, ${mended} mended` : ''}\n`,
  )
}

const { values } = parseArgs({
  options: {
    repair: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    settle: { type: 'string', default: '4' },
  },
})
const config = loadConfig()
const db = connect(required(config.databaseUrl, 'DATABASE_URL'), { size: 4, name: 'audit' })
const fixed = await open(config, db)
const sceneOf = async (): Promise<Scene> => {
  const [servers, leaving, guests, plugged] = await Promise.all([
    serversOnHost(db, config.hostName),
    serversMoving(db, config.hostName),
    fixed.driver.list(),
    fixed.wires.list(),
  ])
  return { ...fixed, servers, leaving, guests, plugged }
}
try {
  const findings = await audit(checks, sceneOf, { repair: values.repair, settleSeconds: Number(values.settle) })
  if (values.json) {
    const invariants = checks.map(({ name, holds }) => ({ name, holds }))
    process.stdout.write(`${JSON.stringify({ invariants, findings }, null, 2)}\n`)
  } else print(findings)
  process.exitCode = findings.some(({ isMended }) => !isMended) ? 1 : 0
} finally {
  fixed.wires.close()
  await db.destroy()
}
