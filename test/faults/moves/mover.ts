/** A server that moves between two hosts while something comes between. */
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { execa } from 'execa'
import type { Transport } from '../../../core/moves.ts'
import { until } from '../../world/index.ts'
import { record } from '../record.ts'
import { addressOf } from '../user.ts'
import type { Scene } from './scene.ts'

/** What it wrote, and what makes it this machine. */
export const hashOf = 'cat /root/data | sha256sum; cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub'

export interface Mover {
  readonly id: string
  readonly address: string
  /** what `hashOf` said at first */
  readonly hash: string
}

export async function said({ user }: Scene, address: string, command: string): Promise<string> {
  return await until(() => user.ssh(address, command), { timeoutMs: 120_000, what: `${address} to answer` })
}

/** A server on the first host, with so much of its own. */
export async function mover(
  scene: Scene,
  name: string,
  { transport, mebibytes }: { readonly transport: Transport; readonly mebibytes: number },
): Promise<Mover> {
  const { cloud, user, flavors } = scene
  const id = await user.running(name, { flavor: flavors[transport], host: cloud.site.config.hostName })
  const seen = await user.show(id)
  const address = seen ? addressOf(seen) : ''
  for (let written = 0; written < mebibytes; written += 50)
    await said(scene, address, `head -c 50M /dev/urandom >> /root/data; sync; echo written`)
  return { id, address, hash: await said(scene, address, hashOf) }
}

/** @returns whether the request was taken */
async function accepts({ user }: Scene, id: string, body: unknown): Promise<boolean> {
  const { status } = await user.call('POST', `/compute/v2.1/servers/${id}/action`, { body })
  return status === 202 || status === 204
}

export async function act(scene: Scene, id: string, body: unknown): Promise<void> {
  await until(() => accepts(scene, id, body), { timeoutMs: 60_000, what: `${JSON.stringify(body)} to be taken` })
}

/** @returns its status, when it has no task */
export async function settled({ user }: Scene, id: string): Promise<string> {
  return await until(
    async () => {
      const seen = await user.show(id)
      return seen?.['OS-EXT-STS:task_state'] === null ? seen.status : null
    },
    { timeoutMs: 300_000, what: `the task of ${id} to end` },
  )
}

/** Returns when the move of the server is at this phase, and at work. */
export async function isAt({ db }: Scene, id: string, phase: string): Promise<void> {
  await until(
    async () => {
      const move = await db('server_migrations').where({ serverId: id }).orderBy('id', 'desc').first()
      return move?.phase === phase && (phase !== 'sync' || move.bytesDone > 0)
    },
    { timeoutMs: 90_000, what: `the move to be at ${phase}` },
  )
}

/** Hosts on which a guest of the server runs. */
export async function running({ cloud, second }: Scene, id: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const { layout, config } of [cloud.site, second]) {
    const words = ['-H', `unix://${join(layout.run, 'docker.sock')}`, 'ps', '--quiet', '--filter']
    const { stdout } = await execa('docker', [...words, `label=berth.server=${id}`], { timeout: 30_000 })
    if (stdout !== '') found.push(config.hostName)
  }
  return found
}

/** On one host alone, which is the one that its row names, with all that it had. */
export async function isWhole(scene: Scene, { id, address, hash }: Mover): Promise<void> {
  const { db } = scene
  expect(await said(scene, address, hashOf)).toBe(hash)
  const row = await db('servers').where({ id }).first()
  expect(await running(scene, id)).toEqual([row?.host])
  const ports = await db('ports').where({ serverId: id })
  expect(ports.map(({ host }) => host)).toEqual([row?.host])
  expect(await db('addresses').where({ address, state: 'used' })).toHaveLength(1)
}

/** @throws with the reason when it ends elsewhere than at its target */
export async function moves(scene: Scene, one: Mover): Promise<void> {
  await act(scene, one.id, { migrate: null })
  const status = await settled(scene, one.id)
  if (status === 'VERIFY_RESIZE') return
  const faults = await scene.db('faults').where({ serverId: one.id }).orderBy('id', 'desc')
  throw new Error(`${one.id} is ${status}: ${faults.map(({ message }) => message).join('; ')}`)
}

/** What came between is over: the move ends one way or the other, the next one goes, and nothing is left. */
export async function endsWell(scene: Scene, one: Mover, fault: string): Promise<void> {
  const { cloud, user } = scene
  const started = performance.now()
  const first = await settled(scene, one.id)
  const healMs = performance.now() - started
  await isWhole(scene, one)
  if (first === 'ACTIVE') {
    await moves(scene, one)
    await isWhole(scene, one)
  }
  await act(scene, one.id, { confirmResize: null })
  await user.reaches(one.id, 'ACTIVE')
  await user.change(one.id, 'delete')
  await user.reaches(one.id, 'gone')
  const left = await cloud.audit()
  record({ fault, healMs, lost: 0, left: left.length })
  expect(left).toEqual([])
}
