/** Servers that move back and forth while they write: nothing of all the moves is left, and their data are the same. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { Site } from '../../../machine/parts/part.ts'
import { record } from '../record.ts'
import { act, hashOf, isWhole, mover, moves, said, settled, type Mover } from './mover.ts'
import { closeScene, openScene, transports, type Scene } from './scene.ts'

/** `./berth test faults/moves --moves N` */
const movers = 4
const movesOfEach = Math.ceil(Number(process.env.BERTH_TEST_MOVES ?? 100) / movers)
const count = movers * movesOfEach

let scene: Scene
beforeAll(async () => {
  scene = await openScene()
}, 900_000)
afterAll(() => closeScene(scene), 600_000)

function dockerOf({ layout }: Site): (...words: readonly string[]) => Promise<string> {
  const socket = `unix://${join(layout.run, 'docker.sock')}`
  return async (...words) => (await execa('docker', ['-H', socket, ...words], { timeout: 60_000 })).stdout
}

/** Images by which servers moved are kept for a while, in case of others of the same layers: they go at once. */
async function forgetImages(site: Site): Promise<void> {
  const docker = dockerOf(site)
  const names = await docker('images', '--digests', '--format={{.Repository}}@{{.Digest}}')
  const ours = names.split('\n').filter((name) => name.includes('/servers/'))
  if (ours.length > 0) await docker('rmi', ...ours)
}

async function filesIn(directory: string): Promise<number> {
  return existsSync(directory) ? (await readdir(directory)).length : 0
}

/** What moves could leave on a host. */
async function tracesOn(site: Site): Promise<Readonly<Record<string, number>>> {
  const { layout, config } = site
  const docker = dockerOf(site)
  const containers = (await docker('ps', '--all', '--quiet')).split('\n').filter(Boolean).length
  const layers = await filesIn(join(await docker('info', '--format={{.DockerRootDir}}'), 'overlay2'))
  const filesOf = (name: string): Promise<number> => filesIn(join(layout.run, name))
  return {
    containers,
    layers,
    arrived: await filesOf('moves'),
    namespaces: await filesOf('netns'),
    copies: await filesOf(join('capture', config.hostName)),
    disks: await filesOf('disks'),
  }
}

/** What they could leave in the books. */
async function rowsLeft({ db }: Scene): Promise<Readonly<Record<string, number>>> {
  const [ports, places] = [await db('ports').select('id'), await db('allocations').select('serverId')]
  const addresses = await db('addresses').where({ state: 'used' }).select('address')
  return { ports: ports.length, places: places.length, addresses: addresses.length }
}

const load = 'while :; do head -c 2M /dev/urandom > /root/load; sync; sleep 0.1; done'

/** While its guest writes. */
async function backAndForth(one: Mover, times: number): Promise<void> {
  for (let done = 0; done < times; done += 1) {
    await said(scene, one.address, `nohup sh -c '${load}' > /dev/null 2>&1 < /dev/null & echo begun`)
    await moves(scene, one)
    await act(scene, one.id, { confirmResize: null })
    expect(await settled(scene, one.id)).toBe('ACTIVE')
    expect(await said(scene, one.address, hashOf)).toBe(one.hash)
  }
  await isWhole(scene, one)
}

async function allTraces(): Promise<readonly Readonly<Record<string, number>>[]> {
  await Promise.all([scene.cloud.site, scene.second].map(forgetImages))
  return [...(await Promise.all([scene.cloud.site, scene.second].map(tracesOn))), await rowsLeft(scene)]
}

test(`${count} moves back and forth under load leave nothing`, async () => {
  const { cloud, db, user } = scene
  const before = await allTraces()
  const started = performance.now()
  const all: Mover[] = []
  for (let index = 0; index < movers; index += 1) {
    const transport = transports[index % transports.length] ?? 'delta'
    all.push(await mover(scene, `shuttle-${index}`, { transport, mebibytes: 50 }))
  }
  const ids = all.map(({ id }) => id)
  await Promise.all(all.map((one) => backAndForth(one, movesOfEach)))
  expect(await db('server_migrations').whereIn('serverId', ids).where({ status: 'confirmed' })).toHaveLength(count)
  for (const id of ids) await user.change(id, 'delete')
  for (const id of ids) await user.reaches(id, 'gone')
  const left = await cloud.audit()
  record({ fault: `${count} moves back and forth`, healMs: performance.now() - started, lost: 0, left: left.length })
  expect(left).toEqual([])
  expect(await allTraces()).toEqual(before)
}, 3_000_000)
