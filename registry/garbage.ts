/** Manifests of a registry, and what would be free without some of them. */
import { manifestShape } from './manifest.ts'
import type { Registry } from './registry.ts'

/** A manifest that the registry has. */
export interface StoredManifest {
  readonly repository: string
  readonly digest: string
  readonly tags: readonly string[]
}

/** Every manifest that a tag names, in the repositories of these names. */
export async function manifestsOf(registry: Registry, names: readonly string[]): Promise<readonly StoredManifest[]> {
  const all: StoredManifest[] = []
  for (const name of names) {
    const repository = registry.repository(name)
    const tagged = new Map<string, string[]>()
    for (const tag of await repository.tags()) {
      const digest = await repository.digestOf(tag)
      if (digest !== null) tagged.set(digest, [...(tagged.get(digest) ?? []), tag])
    }
    for (const [digest, tags] of tagged) all.push({ repository: name, digest, tags })
  }
  return all
}

async function blobsOf(
  registry: Registry,
  { repository, digest }: Pick<StoredManifest, 'repository' | 'digest'>,
): Promise<readonly (readonly [string, number])[]> {
  const text = await registry.repository(repository).manifest(digest)
  const { config, layers } = manifestShape.parse(JSON.parse(text))
  return [[digest, Buffer.byteLength(text)], ...[config, ...layers].map((blob) => [blob.digest, blob.size] as const)]
}

/** Bytes of blobs that these manifests have, and none of those that stay. */
export async function bytesFreed(
  registry: Registry,
  { gone, kept }: { readonly gone: readonly StoredManifest[]; readonly kept: readonly StoredManifest[] },
): Promise<number> {
  if (gone.length === 0) return 0
  const staying = new Set<string>()
  for (const manifest of kept) for (const [digest] of await blobsOf(registry, manifest)) staying.add(digest)
  const freed = new Map<string, number>()
  for (const manifest of gone)
    for (const [digest, size] of await blobsOf(registry, manifest)) if (!staying.has(digest)) freed.set(digest, size)
  return [...freed.values()].reduce((sum, size) => sum + size, 0)
}
