import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { Unavailable } from '../../core/errors.ts'
import type { Check, Drift, Scene } from '../check.ts'

const timeoutMs = 20_000

async function mountedBelow(directory: string): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n')
  const paths = lines.map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
  return paths.filter((path) => path.startsWith(`${directory}/`))
}

/** What is busy stays, and says so. */
async function unmount(path: string): Promise<void> {
  const { exitCode, stderr } = await execa('umount', [path], { reject: false, timeout: timeoutMs })
  if (exitCode !== 0) throw new Unavailable(stderr)
}

/** Name of a layer directory -> the container whose file system it is. Source: Docker's layerdb, as overlay2 keeps it */
async function ownersOf(root: string): Promise<ReadonlyMap<string, string>> {
  const directory = join(root, 'image', 'overlay2', 'layerdb', 'mounts')
  const ids = await readdir(directory).catch(() => [])
  const read = async (id: string): Promise<readonly [string, string]> => [
    (await readFile(join(directory, id, 'mount-id'), 'utf8').catch(() => '')).trim(),
    id,
  ]
  return new Map(await Promise.all(ids.map(read)))
}

/** File systems of containers, each of one that runs. */
async function ofContainers({ config, guests }: Scene): Promise<readonly Drift[]> {
  const up = new Set(
    guests.filter(({ state }) => state === 'running' || state === 'paused').map(({ guestId }) => guestId),
  )
  const mounted = (await mountedBelow(join(config.home, 'docker'))).flatMap((path) => {
    const [, root, layer] = /^(.*)\/overlay2\/([^/]+)\/merged$/.exec(path) ?? []
    return root === undefined || layer === undefined ? [] : [{ path, root, layer }]
  })
  const roots = [...new Set(mounted.map(({ root }) => root))]
  const owners = new Map((await Promise.all(roots.map(ownersOf))).flatMap((one) => [...one]))
  const stray = mounted.filter(({ layer }) => !up.has(owners.get(layer) ?? ''))
  return stray.map(({ path, layer }) => ({
    text: `${path} is mounted, and container ${owners.get(layer)?.slice(0, 12) ?? '-'} does not run`,
    remedy: 'it is unmounted',
    repair: () => unmount(path),
  }))
}

/** Disks of guests that stepped aside, each shown to the guest in their place. */
async function ofRescued({ config, servers }: Scene): Promise<readonly Drift[]> {
  const busy = servers.filter(({ vmState, taskState }) => vmState === 'rescued' || taskState !== null)
  const known = new Set(busy.map(({ id }) => id))
  const aside = join(config.home, 'run', 'aside')
  const stray = (await mountedBelow(aside)).filter((path) => !known.has(path.slice(aside.length + 1)))
  return stray.map((path) => ({
    text: `${path} is mounted, and no server of that id is rescued`,
    remedy: 'it is unmounted',
    repair: () => unmount(path),
  }))
}

export const mounts: Check = {
  name: 'mounts',
  holds: 'each file system of a guest that is mounted is of a guest that runs, or that a rescue has set aside',
  async run(scene) {
    return [...(await ofContainers(scene)), ...(await ofRescued(scene))]
  },
}
