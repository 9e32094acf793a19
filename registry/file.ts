/** Uploaded files as images: each is kept as it came, and is what boots where it can be booted. */
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { execa } from 'execa'
import { Digest } from './digest.ts'
import { plainConfig } from './image.ts'
import { bytesType, configType, layerTypes, manifestShape, manifestText, manifestType } from './manifest.ts'
import { probe, type FileKind } from './probe.ts'
import type { Blob, Repository } from './repository.ts'

const convertTimeoutMs = 1_800_000

/** An uploaded file in the registry, as it came and as what boots. */
export interface StoredFile {
  /** of what boots, by digest; of the bytes themselves where nothing could */
  readonly reference: string
  readonly sizeBytes: number
  /** of what boots; 0 = nothing does */
  readonly layers: number
  readonly fileDigest: string
  /** MD5, in hexadecimal digits */
  readonly checksum: string
  /** SHA-512, in hexadecimal digits */
  readonly sha512: string
}

/** A manifest holds the bytes, so that a registry that sweeps what is not referred to leaves them. */
async function holdBytes(repository: Repository, file: Blob): Promise<string> {
  const config = { mediaType: bytesType, ...(await repository.putText('{}')) }
  const text = manifestText(config, [{ mediaType: 'application/octet-stream', ...file }])
  return await repository.putManifest('file', text, manifestType)
}

async function asLayer(
  repository: Repository,
  file: Blob,
  { packing, diffId }: FileKind & { readonly kind: 'root' },
): Promise<string> {
  const text = JSON.stringify({ ...plainConfig(), rootfs: { type: 'layers', diff_ids: [diffId] } })
  const config = { mediaType: configType, ...(await repository.putText(text)) }
  const manifest = manifestText(config, [{ mediaType: layerTypes[packing], ...file }])
  return await repository.putManifest('latest', manifest, manifestType)
}

/** How skopeo reaches the registry; what is secret stands in files of the directory. */
async function accessWords({ registry }: Repository, directory: string): Promise<readonly string[]> {
  const { address, isSecure, ca, credentials } = registry.access
  const authFile = join(directory, 'auth.json')
  const auth = credentials && Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')
  await writeFile(authFile, JSON.stringify({ auths: auth === null ? {} : { [address]: { auth } } }), { mode: 0o600 })
  if (ca !== null) await writeFile(join(directory, 'ca.crt'), ca)
  return [`--dest-authfile=${authFile}`, `--dest-tls-verify=${isSecure}`, `--dest-cert-dir=${directory}`]
}

/** @returns the digest of the image in the archive; null when skopeo finds none */
async function converted(
  repository: Repository,
  file: Blob,
  { kind, scratch }: { readonly kind: 'docker-archive' | 'oci-archive'; readonly scratch: string },
): Promise<string | null> {
  await mkdir(scratch, { recursive: true, mode: 0o700 })
  const directory = await mkdtemp(join(scratch, 'convert-'))
  try {
    const path = join(directory, 'archive')
    await pipeline(await repository.blob(file.digest), createWriteStream(path, { mode: 0o600 }))
    const target = `docker://${repository.registry.access.address}/${repository.name}:latest`
    const words = ['--insecure-policy', '--tmpdir', directory, 'copy', '--quiet', '--format=oci']
    const access = await accessWords(repository, directory)
    const { exitCode } = await execa('skopeo', [...words, ...access, `${kind}:${path}`, target], {
      reject: false,
      timeout: convertTimeoutMs,
    })
    return exitCode === 0 ? await repository.digestOf('latest') : null
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/**
 * Takes in a file of any kind, without ever holding it in memory.
 *
 * @param scratch directory where an archive of an image is unpacked
 * @throws Unavailable when the registry does not take it; whatever the bytes' own stream fails with
 */
export async function storeFile(repository: Repository, bytes: Readable, scratch: string): Promise<StoredFile> {
  const [md5, sha512, { through, kind }] = [new Digest('md5'), new Digest('sha512'), probe()]
  const sending = pipeline(bytes, md5, sha512, through)
  const [sent, stored] = await Promise.allSettled([sending, repository.upload(through)])
  if (sent.status === 'rejected') throw sent.reason
  if (stored.status === 'rejected') throw stored.reason
  const file = stored.value
  const found = await kind
  const held = await holdBytes(repository, file)
  const digest =
    found.kind === 'root'
      ? await asLayer(repository, file, found)
      : found.kind === 'bytes'
        ? held
        : ((await converted(repository, file, { kind: found.kind, scratch })) ?? held)
  const { layers } = manifestShape.parse(JSON.parse(await repository.manifest(digest)))
  return {
    reference: repository.referenceTo(digest),
    layers: digest === held ? 0 : layers.length,
    sizeBytes: file.size,
    fileDigest: file.digest,
    checksum: md5.hex(),
    sha512: sha512.hex(),
  }
}
