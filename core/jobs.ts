import { z } from 'zod'

const server = { serverId: z.uuid(), requestId: z.string() }

/** A file that the user gives a new guest; its content is base64. */
const personalFile = z.object({ path: z.string(), contents: z.string() })
export type PersonalFile = z.output<typeof personalFile>
/** What only passes through on its way to the guest. */
const secrets = { adminPassword: z.string().nullable(), personality: z.array(personalFile).optional() }
/** What a server that is built anew elsewhere gets; no other move has it. */
const evacuated = { adminPassword: secrets.adminPassword.optional() }

/** Job name -> payload. Jobs of a server take turns on its host. */
export const jobs = {
  /** finds a host, run by any scheduler */
  schedule: z.object({ ...server, ...secrets }),
  'server.create': z.object({ ...server, ...secrets }),
  'server.delete': z.object(server),
  'server.start': z.object(server),
  'server.stop': z.object(server),
  'server.reboot': z.object(server),
  'server.reboot-hard': z.object(server),
  'server.pause': z.object(server),
  'server.unpause': z.object(server),
  'server.suspend': z.object(server),
  'server.resume': z.object(server),
  'server.resize': z.object(server),
  'server.confirm-resize': z.object(server),
  'server.revert-resize': z.object(server),
  'server.change-password': z.object({ ...server, password: z.string() }),
  'server.soft-delete': z.object(server),
  'server.restore': z.object(server),
  /** no change of the server: its wires are made as its row says */
  'server.inject-network': z.object(server),
  /** the wires of the guest become what the rows say; these addresses are its no more */
  'server.wire': z.object({
    ...server,
    gone: z.array(z.object({ portId: z.uuid(), address: z.string(), prefixLength: z.int() })),
  }),
  /** a port leaves the guest, and then the server */
  'server.detach': z.object({ ...server, portId: z.uuid() }),
  'server.snapshot': z.object({ ...server, imageId: z.uuid() }),
  'server.rebuild': z.object({
    ...server,
    ...secrets,
    isStopped: z.boolean(),
    /** the new image, by digest: the row gets it when the guest is there */
    reference: z.string(),
    /** what the row shows again when the rebuild fails */
    previousImageId: z.uuid().nullable(),
  }),
  'server.rescue': z.object({ ...server, adminPassword: z.string().nullable() }),
  'server.unrescue': z.object(server),
  'server.shelve': z.object({ ...server, imageId: z.uuid() }),
  'server.shelve-offload': z.object(server),
  /** of a server whose guest is there, or is to be made of its image */
  'server.unshelve': z.object(server),
  /** finds the host that a server moves to; run by any scheduler */
  'schedule.move': z.object({ ...server, ...evacuated }),
  /** at the target: what it can have before the guest stops is there */
  'server.expect': z.object(server),
  /** at the source: the disk goes to the registry, the server to the target */
  'server.migrate': z.object(server),
  /** at the target */
  'server.land': z.object(server),
  /** at the source: what is left of the guest goes */
  'server.leave': z.object(server),
  /** at the target: the source is down */
  'server.evacuate': z.object({ ...server, ...evacuated }),
} as const

export type JobName = keyof typeof jobs
export function isJobName(name: string): name is JobName {
  return name in jobs
}

export type JobPayload<N extends JobName> = z.output<(typeof jobs)[N]>

/** Jobs that a named host runs: all that are not any scheduler's. */
export type HostJob = Exclude<JobName, 'schedule' | 'schedule.move'>

/** A forgotten handler does not compile. */
export type Handlers<N extends JobName> = {
  readonly [K in N]: (payload: JobPayload<K>, signal: AbortSignal) => Promise<void>
}
