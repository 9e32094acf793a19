/**
 * What a guest reads of block devices: a tree that is bound over the host's /sys/block, /sys/class/block and /sys/dev/block.
 * Source: kernel's Documentation/ABI/stable/sysfs-block; util-linux's lib/sysfs.c, which goes from a name to a number and back.
 */
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface BlockDevice {
  readonly name: 'vda' | 'vdb'
  readonly bytes: number
  readonly major: number
  readonly minor: number
}

const sectorBytes = 512

/** The places in the guest, each with its directory in the tree. */
export const blockPlaces = [
  { directory: 'block', target: '/sys/block' },
  { directory: 'class', target: '/sys/class/block' },
  { directory: 'dev', target: '/sys/dev/block' },
] as const

/** As a virtio disk without a cache of its own tells. */
function attributesOf({ name, bytes, major, minor }: BlockDevice): Readonly<Record<string, string | number>> {
  return {
    dev: `${major}:${minor}`,
    size: Math.floor(bytes / sectorBytes),
    ro: 0,
    removable: 0,
    hidden: 0,
    range: 16,
    ext_range: 256,
    alignment_offset: 0,
    discard_alignment: 0,
    stat: Array.from({ length: 17 }, () => 0).join(' '),
    uevent: `MAJOR=${major}\nMINOR=${minor}\nDEVNAME=${name}\nDEVTYPE=disk`,
    'queue/logical_block_size': sectorBytes,
    'queue/physical_block_size': sectorBytes,
    'queue/hw_sector_size': sectorBytes,
    'queue/minimum_io_size': sectorBytes,
    'queue/optimal_io_size': 0,
    'queue/rotational': 0,
    'queue/read_ahead_kb': 128,
    'queue/nr_requests': 256,
    'queue/scheduler': '[none]',
    'queue/add_random': 0,
    'queue/discard_granularity': 0,
    'queue/discard_max_bytes': 0,
    'queue/discard_zeroes_data': 0,
    'queue/write_same_max_bytes': 0,
    'queue/write_cache': 'write back',
    'queue/zoned': 'none',
    'queue/dax': 0,
  }
}

async function writeDevice(directory: string, device: BlockDevice): Promise<void> {
  for (const below of ['queue', 'holders', 'slaves']) await mkdir(join(directory, below), { recursive: true })
  await rm(join(directory, 'subsystem'), { force: true })
  await symlink('../../class/block', join(directory, 'subsystem'))
  for (const [name, value] of Object.entries(attributesOf(device))) await writeFile(join(directory, name), `${value}\n`)
}

/** The tree shows these devices and no others. A directory that is bound into a running guest stays the one that it is. */
export async function writeBlockTree(root: string, devices: readonly BlockDevice[]): Promise<void> {
  for (const { directory } of blockPlaces) await mkdir(join(root, directory), { recursive: true })
  for (const device of devices) await writeDevice(join(root, 'block', device.name), device)
  const links = [
    { directory: 'class', names: devices.map(({ name }) => [name, name] as const) },
    { directory: 'dev', names: devices.map(({ name, major, minor }) => [`${major}:${minor}`, name] as const) },
  ]
  for (const { directory, names } of links) {
    for (const old of await readdir(join(root, directory))) await rm(join(root, directory, old))
    for (const [link, name] of names) await symlink(`../../block/${name}`, join(root, directory, link))
  }
}
