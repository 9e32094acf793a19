/** What a new server is made of: flavor, image, key, security groups, zone. What does not exist is bad input, in Nova's words. */
import { Invalid, NotFound } from '../../../core/errors.ts'
import type { ServerFlavor } from '../../../core/server.ts'
import type { Db, Transaction } from '../../../db/connect.ts'
import { getImage, type Viewer } from '../../../db/images.ts'
import { getKeypair } from '../../../db/keypairs.ts'
import { defaultGroup, listSecurityGroups } from '../../../db/security-groups.ts'
import type { FlavorRow, ImageRow, KeypairRow } from '../../../db/tables.ts'
import type { Caller } from '../../caller.ts'
import { usableFlavor } from '../flavors.ts'
import type { CreateServer } from './create-body.ts'

/** What the path calls not found is bad input in a body. */
export async function known<T>(found: Promise<T>, sentence: string | null): Promise<T> {
  try {
    return await found
  } catch (error) {
    throw error instanceof NotFound ? new Invalid(sentence ?? error.message, { cause: error }) : error
  }
}

/** References are ids, or, from old clients, URLs that end in one. */
export function idIn(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1)
}

/** What a server is made of, looked up and allowed. */
export interface BootSource {
  readonly flavor: ServerFlavor
  readonly image: ImageRow & { readonly reference: string }
  readonly key: KeypairRow | null
}

/** What goes into authorized_keys; a certificate opens no ssh. */
export function sshKeyOf(key: KeypairRow | null): string | null {
  return key?.type === 'ssh' ? key.publicKey : null
}

const bytesPerGiB = 1024 ** 3

/** @throws Invalid when the image asks for more than the flavor has */
export function checkFit(flavor: Pick<FlavorRow, 'memoryMiB' | 'diskGiB'>, image: ImageRow): void {
  if (flavor.memoryMiB < image.minMemoryMiB) throw new Invalid("Flavor's memory is too small for requested image.")
  if (flavor.diskGiB === 0) return
  if (flavor.diskGiB < image.minDiskGiB)
    throw new Invalid(
      `Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is ` +
        `${flavor.diskGiB * bytesPerGiB} bytes, minimum size is ${image.minDiskGiB * bytesPerGiB} bytes.`,
    )
}

/** @throws Invalid when there is none, or it cannot be booted from */
export async function bootImage(db: Db, reference: string, viewer: Viewer): Promise<BootSource['image']> {
  if (reference === '') throw new Invalid('Invalid imageRef provided.')
  const image = await known(getImage(db, idIn(reference), viewer), 'Can not find requested image')
  if (image.status !== 'active' || image.reference === null) throw new Invalid(`Image ${image.id} is not active.`)
  return { ...image, reference: image.reference }
}

/** The flavor as a server keeps it. */
export function snapshotOf(flavor: FlavorRow): ServerFlavor {
  const { id, name, vcpus, memoryMiB, diskGiB, ephemeralGiB, swapMiB, extraSpecs } = flavor
  return { id, name, vcpus, memoryMiB, diskGiB, ephemeralGiB, swapMiB, extraSpecs }
}

/** @throws Invalid naming what does not exist or does not fit */
export async function resolveBoot(
  trx: Transaction,
  wanted: CreateServer,
  { caller, viewer }: { readonly caller: Caller; readonly viewer: Viewer },
): Promise<BootSource> {
  const { key_name: keyName } = wanted
  const [flavor, image, key] = await Promise.all([
    known(usableFlavor({ db: trx, caller }, idIn(wanted.flavorRef)), null),
    bootImage(trx, wanted.imageRef ?? wanted.block_device_mapping_v2?.[0]?.uuid ?? '', viewer),
    keyName === undefined ? null : known(getKeypair(trx, caller.userId, keyName), 'Invalid key_name provided.'),
  ])
  checkFit(flavor, image)
  return { flavor: snapshotOf(flavor), image, key }
}

/** The groups of the server's own ports; none asked for = the project's default group. */
export async function resolveGroups(
  trx: Transaction,
  wanted: CreateServer['security_groups'],
  projectId: string,
): Promise<readonly string[]> {
  const names = [...new Set((wanted ?? []).map(({ name }) => name))]
  const standard = await defaultGroup(trx, projectId)
  if (names.length === 0) return [standard.id]
  const own = await listSecurityGroups(trx, { projectId }, { projectId, isAdmin: false })
  const ids = names.map((name) => {
    const matches = own.filter((group) => group.id === name || group.name === name)
    const group = matches.find(({ id }) => id === name) ?? matches[0]
    if (!group) throw new Invalid(`Security group ${name} not found for project ${projectId}.`)
    return group.id
  })
  return [...new Set(ids)]
}
