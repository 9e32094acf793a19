/** A whole cloud, as `./berth up` makes it, for the journeys. */
import { mkdir } from 'node:fs/promises'
import { publicUrl } from '../../core/config.ts'
import { findings, type Finding } from '../../machine/audit.ts'
import { adminPassword, sshKey, sshKeyPath } from '../../machine/secrets.ts'
import { up } from '../../machine/up.ts'
import type { Site } from '../../machine/parts/part.ts'
import { room } from './room.ts'

export interface TestCloud {
  readonly site: Site
  /** where the API answers */
  readonly url: string
  readonly adminPassword: string
  /** path of a private key; its public half is `publicKey` */
  readonly sshKeyPath: string
  readonly publicKey: string
  /** what contradicts the invariants of the cloud once all has settled; a journey ends with none */
  readonly audit: () => Promise<readonly Finding[]>
}

/** The agent looks at its whole host every half minute. */
const settleSeconds = 45

/**
 * Starts what does not run yet: api, scheduler and agent on the real parts, without a first server.
 *
 * @param hosts how many hosts the machine is to be; null = as it is
 */
export async function startCloud(hosts: number | null = null): Promise<TestCloud> {
  const site = room()
  await mkdir(site.layout.log, { recursive: true })
  await up(site.config, { hello: false, hosts })
  return {
    site,
    url: publicUrl(site.config),
    adminPassword: await adminPassword(site),
    publicKey: await sshKey(site),
    sshKeyPath: sshKeyPath(site),
    audit: () => findings(site, { settle: settleSeconds }),
  }
}
