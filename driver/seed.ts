/** What a guest finds at its first boot: a NoCloud seed for cloud-init, and the key, which must be there before cloud-init runs. */
import { stringify } from 'yaml'
import type { GuestSpec } from './driver.ts'
import { hostKeys } from './host-keys.ts'

/** What a guest learns of itself at its first boot. */
export interface Seed {
  readonly serverId: string
  readonly hostname: string
  readonly projectId: string
  readonly availabilityZone: string
  readonly publicKeys: readonly { readonly name: string; readonly key: string }[]
  /** base64, as the user gave it: a script, #cloud-config, or MIME parts; null = none */
  readonly userData: string | null
  readonly metadata: Readonly<Record<string, string>>
  readonly adminPassword: string | null
}

type File = GuestSpec['files'][number]

const seedDirectory = '/var/lib/cloud/seed/nocloud'

/** Settings that are not the user's go to vendor-data, so that the user's own stand above them. */
function vendorData({ adminPassword }: Seed): string {
  const passwords =
    adminPassword === null
      ? {}
      : {
          chpasswd: {
            expire: false,
            users: ['root', 'debian'].map((name) => ({ name, password: adminPassword, type: 'text' })),
          },
        }
  return `#cloud-config\n${stringify(passwords)}`
}

function metaData({ serverId, hostname, publicKeys, metadata, projectId, availabilityZone }: Seed): string {
  return stringify({
    'instance-id': serverId,
    'local-hostname': hostname,
    'public-keys': Object.fromEntries(publicKeys.map(({ name, key }) => [name, key])),
    'availability-zone': availabilityZone,
    'project-id': projectId,
    meta: metadata,
  })
}

/** The files of a first boot; source: cloud-init's NoCloud datasource. */
export function nocloudSeed(seed: Seed): readonly File[] {
  const keys = seed.publicKeys.map(({ key }) => `${key.trim()}\n`).join('')
  const authorized = (path: string, owner: 'root' | 'debian'): File => ({ path, mode: 0o600, content: keys, owner })
  return [
    { path: `${seedDirectory}/meta-data`, mode: 0o600, content: metaData(seed), owner: 'root' },
    { path: `${seedDirectory}/vendor-data`, mode: 0o600, content: vendorData(seed), owner: 'root' },
    {
      path: `${seedDirectory}/user-data`,
      mode: 0o600,
      content: seed.userData === null ? '#cloud-config\n{}\n' : Buffer.from(seed.userData, 'base64'),
      owner: 'root',
    },
    ...(keys === ''
      ? []
      : [authorized('/root/.ssh/authorized_keys', 'root'), authorized('/home/debian/.ssh/authorized_keys', 'debian')]),
    ...hostKeys(seed.hostname),
    { path: '/etc/hostname', mode: 0o644, content: `${seed.hostname}\n`, owner: 'root' },
  ]
}
