/** Servers that move back and forth while they write: nothing of all the moves is left, and their data are the same. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { Site } from '../../../machine/parts/part.ts'
import { until } from '../../world/index.ts'
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

type Docker = (...words: readonly string[]) => Promise<string>

function dockerOf({ layout }: Site): Docker {
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

type Traces = Readonly<Record<string, number>>

/** Layers of containers that are gone, or of half an image. */
async function layersOfNobody(docker: Docker): Promise<number> {
  const ids = (await docker('images', '--all', '--quiet')).split('\n').filter(Boolean)
  const format = '--format={{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}'
  const directories = (ids.length > 0 ? await docker('inspect', format, ...ids) : '').split(/[:\n]/)
  const known = new Set(['l', ...directories.map((directory) => basename(dirname(directory)))])
  const layers = await readdir(join(await docker('info', '--format={{.DockerRootDir}}'), 'overlay2'))
  return layers.filter((name) => !known.has(name)).length
}

/** What moves could leave on a host. */
async function tracesOn(site: Site): Promise<Traces> {
  const { layout, config } = site
  const docker = dockerOf(site)
  const containers = (await docker('ps', '--all', '--quiet')).split('\n').filter(Boolean).length
  const filesOf = (name: string): Promise<number> => filesIn(join(layout.run, name))
  return {
    containers,
    layers: await layersOfNobody(docker),
    arrived: await filesOf('moves'),
    namespaces: await filesOf('netns'),
    copies: await filesOf(join('capture', config.hostName)),
    disks: await filesOf('disks'),
  }
}

/** What they could leave in the books. */
async function rowsLeft({ db }: Scene): Promise<Traces> {
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

async function allTraces(): Promise<readonly Traces[]> {
  await Promise.all([scene.cloud.site, scene.second].map(forgetImages))
  return [...(await Promise.all([scene.cloud.site, scene.second].map(tracesOn))), await rowsLeft(scene)]
}

/** null while an image is on its way to a host, and has layers of nobody yet. */
async function atRest(): Promise<readonly Traces[] | null> {
  const traces = await allTraces()
  return traces.every(({ layers = 0 }) => layers === 0) ? traces : null
}

test(`${count} moves back and forth under load leave nothing`, async () => {
  const { cloud, db, user } = scene
  const before = await until(atRest, { timeoutMs: 180_000, what: 'the images of both hosts to be there whole' })
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
