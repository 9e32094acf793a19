/** How fast a guest may read and write. Source: kernel's cgroup-v1/blkio-controller.rst, "Throttling"; cgroup-v2.rst, io.max. */
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import type { DiskSpeeds } from '../../core/flavor-limits.ts'
import { Unsupported } from '../../core/errors.ts'
import { groupOf, writeGroup } from './cgroup.ts'

/** The whole disk under a path: the kernel holds back disks, not partitions. @throws Unsupported when it is on none */
async function diskOf(path: string): Promise<string> {
  const { dev } = await stat(path)
  const [major, minor] = [Math.floor(dev / 256) % 4096, (dev % 256) + Math.floor(dev / 2 ** 20) * 256]
  const own = `/sys/dev/block/${major}:${minor}`
  if (!existsSync(own)) throw new Unsupported('The disks of guests are on no block device that could be held back.')
  return existsSync(`${own}/partition`) ? (await readFile(`${own}/../dev`, 'utf8')).trim() : `${major}:${minor}`
}

/**
 * Holds until the guest ends; null lets go.
 *
 * @param pid  PID 1 of the guest, as the host sees it
 * @param path on the file system where its disk is kept
 */
export async function holdDisk(pid: number, path: string, speeds: DiskSpeeds): Promise<void> {
  const disk = await diskOf(path)
  const group = await groupOf(pid, 'blkio')
  const { readBytes, writeBytes, readRequests, writeRequests } = speeds
  if (group.isUnified) {
    const parts = { rbps: readBytes, wbps: writeBytes, riops: readRequests, wiops: writeRequests }
    const text = Object.entries(parts).map(([name, value]) => `${name}=${value ?? 'max'}`)
    await writeGroup(group, 'io.max', `${disk} ${text.join(' ')}`)
    return
  }
  await writeGroup(group, 'blkio.throttle.read_bps_device', `${disk} ${readBytes ?? 0}`)
  await writeGroup(group, 'blkio.throttle.write_bps_device', `${disk} ${writeBytes ?? 0}`)
  await writeGroup(group, 'blkio.throttle.read_iops_device', `${disk} ${readRequests ?? 0}`)
  await writeGroup(group, 'blkio.throttle.write_iops_device', `${disk} ${writeRequests ?? 0}`)
}
