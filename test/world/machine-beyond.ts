/** A machine of the building: in a VLAN, at a switch that has all VLANs on the cable to a host's NIC. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Site } from '../../machine/parts/part.ts'
import { turnOffTxChecksum } from '../../netns/ethtool.ts'
import { until } from './until.ts'

/** The host's NIC; the other end of its cable; the machine's port at the switch. */
export const beyondNic = 'nic0'
const [cable, port] = ['cable0', 'far0']
/** The switch is a bridge beside the host's own, in the same Open vSwitch. */
const farSwitch = 'br-far'

export interface MachineBeyond {
  /** Runs a command there. @returns what it said, and null when it failed */
  run(...words: readonly string[]): Promise<string | null>
  /** Its port at the switch goes to that VLAN. */
  moveTo(vlan: number): Promise<void>
  end(): Promise<void>
}

async function ip(...words: readonly string[]): Promise<void> {
  await execa('ip', words, { timeout: 30_000 })
}

/** @param address with prefix length */
export async function openMachineBeyond(
  { layout }: Site,
  { vlan, address }: { readonly vlan: number; readonly address: string },
): Promise<MachineBeyond> {
  const vsctl = async (...words: readonly string[]): Promise<void> => {
    const database = `--db=unix:${join(layout.run, 'openvswitch', 'db.sock')}`
    await execa('ovs-vsctl', [database, '--timeout=20', ...words])
  }
  const machine = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' })
  const path = `/proc/${machine.pid}/ns/net`
  await until(async () => (await readlink(path)) !== (await readlink('/proc/self/ns/net')), {
    timeoutMs: 20_000,
    what: 'a machine beyond the uplink',
  })
  await ip('link', 'add', beyondNic, 'type', 'veth', 'peer', 'name', cable)
  await ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(machine.pid))
  for (const device of [cable, port]) {
    turnOffTxChecksum(device, null)
    await ip('link', 'set', device, 'up')
  }
  turnOffTxChecksum('eth0', path)
  const inside = [`--net=${path}`, 'ip'] as const
  await execa('nsenter', [...inside, 'address', 'add', address, 'dev', 'eth0'])
  await execa('nsenter', [...inside, 'link', 'set', 'eth0', 'up'])
  await vsctl('add-br', farSwitch, '--', 'set', 'bridge', farSwitch, 'datapath_type=netdev')
  await vsctl('add-port', farSwitch, cable, '--', 'add-port', farSwitch, port, `tag=${vlan}`)
  return {
    run: async (...words) => {
      const options = { reject: false, timeout: 60_000 } as const
      const { failed, stdout } = await execa('nsenter', [`--net=${path}`, ...words], options)
      return failed ? null : stdout
    },
    moveTo: async (tag) => await vsctl('set', 'port', port, `tag=${tag}`),
    end: async () => {
      await vsctl('del-br', farSwitch)
      machine.kill('SIGKILL')
      await once(machine, 'exit')
      for (const device of [cable, port]) await execa('ip', ['link', 'delete', device], { reject: false })
    },
  }
}
