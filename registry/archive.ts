/** An image as one file, as `docker load`, `skopeo` and this cloud take it. Source: OCI image spec, image-layout.md. */
import { Readable } from 'node:stream'
import { pack, type Pack } from 'tar-stream'
import { manifestShape, manifestType } from './manifest.ts'
import type { Registry } from './registry.ts'
import type { Repository } from './repository.ts'

const block = 512
const layout = JSON.stringify({ imageLayoutVersion: '1.0.0' })

type Member =
  | { readonly name: string; readonly size: number; readonly text: string }
  | { readonly name: string; readonly size: number; readonly digest: string }

function text(name: string, content: string): Member {
  return { name, size: Buffer.byteLength(content), text: content }
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`
}

async function membersOf(repository: Repository, digest: string): Promise<readonly Member[]> {
  const manifest = await repository.manifest(digest)
  const { config, layers, mediaType = manifestType } = manifestShape.parse(JSON.parse(manifest))
  const described = { mediaType, digest, size: Buffer.byteLength(manifest) }
  const blobs = new Map([config, ...layers].map((one) => [one.digest, one]))
  return [
    text('oci-layout', layout),
    text('index.json', JSON.stringify({ schemaVersion: 2, manifests: [described] })),
    text(blobPath(digest), manifest),
    ...[...blobs.values()].map(({ digest: blob, size }) => ({ name: blobPath(blob), size, digest: blob })),
  ]
}

async function add(archive: Pack, repository: Repository, member: Member): Promise<void> {
  const header = { name: member.name, size: member.size, mode: 0o644, mtime: new Date(0) }
  const content = 'text' in member ? Readable.from([Buffer.from(member.text)]) : await repository.blob(member.digest)
  await new Promise<void>((resolve, reject) => {
    const entry = archive.entry(header, (error) => (error ? reject(error) : resolve()))
    content.once('error', reject)
    entry.on('error', reject)
    content.pipe(entry)
  })
}

/** Bytes of the archive: the same each time. */
export async function archiveSize(registry: Registry, reference: string): Promise<number> {
  const { repository, digest } = registry.of(reference)
  const padded = (size: number): number => block + Math.ceil(size / block) * block
  return (await membersOf(repository, digest)).reduce((sum, { size }) => sum + padded(size), 2 * block)
}

/** The archive, made while it is read. */
export async function archiveOf(registry: Registry, reference: string): Promise<Readable> {
  const { repository, digest } = registry.of(reference)
  const members = await membersOf(repository, digest)
  const archive = pack()
  const fill = async (): Promise<void> => {
    for (const member of members) await add(archive, repository, member)
    archive.finalize()
  }
  fill().catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))))
  return Readable.from(archive)
}
