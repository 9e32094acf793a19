import { statfs } from 'node:fs/promises'
import type Docker from 'dockerode'
import { z } from 'zod'
import { messageOf, Unavailable } from '../../core/errors.ts'
import type { Capacity } from '../driver.ts'

const infoShape = z.object({
  NCPU: z.number(),
  MemTotal: z.number(),
  ServerVersion: z.string(),
  Driver: z.string(),
  CgroupVersion: z.string().default('1'),
  DockerRootDir: z.string(),
  SecurityOptions: z.array(z.string()).nullish(),
})

const gib = 1024 ** 3

/** Under userns-remap Docker's root directory ends in <uid>.<gid> of the guests' root. */
function guestRootUid({ DockerRootDir, SecurityOptions }: z.output<typeof infoShape>): number {
  if (SecurityOptions?.some((option) => option.startsWith('name=userns')) !== true) return 0
  return Number(/\/(\d+)\.\d+$/.exec(DockerRootDir)?.[1] ?? 0)
}

export async function hostCapacity(docker: Docker): Promise<Capacity> {
  try {
    const info = infoShape.parse(await docker.info())
    const { blocks, bsize } = await statfs(info.DockerRootDir)
    return {
      vcpus: info.NCPU,
      memoryMiB: Math.floor(info.MemTotal / 1024 / 1024),
      diskGiB: Math.floor((blocks * bsize) / gib),
      hypervisorType: 'docker',
      hypervisorVersion: info.ServerVersion,
      storageDriver: info.Driver,
      cgroupVersion: Number(info.CgroupVersion),
      enforcesDisk: info.Driver === 'btrfs',
      guestRootUid: guestRootUid(info),
    }
  } catch (error) {
    throw new Unavailable(`Docker does not answer: ${messageOf(error)}`, { cause: error })
  }
}
