/** berth image: where images are, and images as files. */
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { counted } from '../core/counted.ts'
import { Invalid, NotFound } from '../core/errors.ts'
import { imageSweep } from '../core/image-sweep.ts'
import { isUuid } from '../core/uuid.ts'
import type { Client } from './client.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const path = '/berth/v1/images'
const image = z.object({
  id: z.string(),
  name: z.string(),
  visibility: z.string(),
  size: z.number().nullable(),
  layers: z.number().nullable(),
  digest: z.string().nullable(),
  hosts: z.array(z.string()),
  wished: z.array(z.string()),
})
const sweeps = z.object({
  hosts: z.array(
    z.object({
      host: z.string(),
      images: imageSweep.shape.images.nullable(),
      registry: imageSweep.shape.registry,
      error: z.string().nullable(),
    }),
  ),
})
const none = z.unknown()

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}

async function idOf(client: Client, name: string): Promise<string> {
  if (isUuid(name)) return name
  const shape = z.object({ images: z.array(z.object({ id: z.string() })) })
  const { images } = await client.ask('/image/v2/images', { shape, query: { name } })
  const [found] = images
  if (!found) throw new NotFound('Image', name)
  return found.id
}

async function list({ client, print }: Terminal): Promise<void> {
  const { images } = await (await client()).ask(path, { shape: z.object({ images: z.array(image) }) })
  const rows = images.map(({ id, name, visibility, size, layers, digest, hosts, wished }) => ({
    id,
    name,
    visibility,
    size: size === null ? null : mebibytes(size),
    layers,
    digest: digest?.replace('sha256:', '').slice(0, 12) ?? null,
    hosts: hosts.join(' '),
    wished: wished.join(' '),
  }))
  print(table(rows))
}

interface Places {
  readonly host?: readonly string[]
  readonly all?: boolean
  readonly off?: boolean
}

async function cache({ client: open, print }: Terminal, name: string, { host, off }: Places): Promise<void> {
  const client = await open()
  const id = await idOf(client, name)
  if (off === true) {
    await client.ask(`${path}/${id}/cache`, { shape: none, method: 'DELETE' })
    print(`${name} is wished for nowhere; hosts that have it keep it until nothing has needed it for a while\n`)
    return
  }
  await client.ask(`${path}/${id}/cache`, { shape: none, method: 'POST', body: { hosts: host ?? null } })
  print(`${name} is brought to ${host?.join(', ') ?? 'all hosts'}; ./berth image list shows who has it\n`)
}

async function gc({ client, print }: Terminal, { dryRun = false }: { readonly dryRun?: boolean }): Promise<void> {
  const asked = { shape: sweeps, method: 'POST', body: { dry_run: dryRun }, timeoutMs: 900_000 } as const
  const { hosts } = await (await client()).ask(`${path}/sweep`, asked)
  const word = dryRun ? 'would leave' : 'left'
  for (const { host, images, registry, error } of hosts) {
    if (error !== null) print(`  ✗ ${host}: ${error}\n`)
    if (images) {
      const stay =
        images.in_use.length > 0
          ? `; idle, and still there, since they were asked for in the last ten minutes or have a container: ${images.in_use.length}`
          : ''
      print(
        `  ✓ ${host}: ${counted(images.removed.length, 'image')} ${word}${dryRun ? '' : `, ${mebibytes(images.bytes)} free`}${stay}\n`,
      )
      for (const digest of images.removed) print(`      ${digest}\n`)
    }
    if (!registry) continue
    const blobs = registry.sweeps_blobs ? '' : ' when its operator sweeps its blobs'
    const waiting =
      registry.waiting > 0 ? `; left until nothing has referred to them for longer: ${registry.waiting}` : ''
    print(
      `  ✓ registry: ${counted(registry.removed.length, 'manifest')} ${word}, ${mebibytes(registry.bytes)} free${blobs}${waiting}\n`,
    )
    for (const reference of registry.removed) print(`      ${reference}\n`)
  }
}

async function exportImage({ client: open, print }: Terminal, name: string, file: string): Promise<void> {
  const client = await open()
  const unfinished = `${file}.part`
  try {
    await pipeline(await client.download(`${path}/${await idOf(client, name)}/archive`), createWriteStream(unfinished))
    await rename(unfinished, file)
  } finally {
    await rm(unfinished, { force: true })
  }
  print(`${name} is in ${file}: skopeo inspect oci-archive:${file}\n`)
}

/** What came is no image at all: the cloud keeps any bytes, as Glance does. */
async function boots(client: Client, id: string): Promise<boolean> {
  const { images } = await client.ask(path, { shape: z.object({ images: z.array(image) }) })
  return images.some((one) => one.id === id && one.layers !== 0)
}

async function importImage({ client: open, print }: Terminal, file: string, given?: string): Promise<void> {
  if (!existsSync(file)) throw new Invalid(`${file}: there is no such file`)
  const client = await open()
  const name = given ?? basename(file).replace(/\.(oci|tar|oci\.tar)$/, '')
  const body = { name, disk_format: 'raw', container_format: 'bare' }
  const { id } = await client.ask('/image/v2/images', { shape: z.object({ id: z.string() }), method: 'POST', body })
  try {
    await client.upload(`/image/v2/images/${id}/file`, createReadStream(file))
    if (!(await boots(client, id)))
      throw new Invalid(
        `${file}: neither a whole OCI archive, nor what docker save writes, nor the tar of a root file system; nothing was imported`,
      )
  } catch (error) {
    await client.ask(`/image/v2/images/${id}`, { shape: none, method: 'DELETE' })
    throw error
  }
  print(`${id} ${name}\n`)
}

export function imageCommand(terminal: Terminal): Command {
  const command = new Command('image').description('images: list, cache, gc, export, import')
  command
    .command('list')
    .description('every image, and the hosts that have it')
    .action(() => list(terminal))
  command
    .command('cache')
    .description('bring an image to hosts before a server needs it')
    .argument('<image>', 'name or id')
    .option('--host <host...>', 'to these')
    .option('--all', 'to all, also those that join')
    .option('--off', 'no more')
    .action((name: string, places: Places) => cache(terminal, name, places))
  command
    .command('gc')
    .description('take from hosts and the registry what nothing has needed for long enough')
    .option('--dry-run', 'only tell')
    .action((options: { readonly dryRun?: boolean }) => gc(terminal, options))
  command
    .command('export')
    .description('an image as an OCI archive')
    .argument('<image>', 'name or id')
    .argument('<file>')
    .action((name: string, file: string) => exportImage(terminal, name, file))
  command
    .command('import')
    .description('an image of an OCI archive, of what docker save writes, or of the tar of a root file system')
    .argument('<file>')
    .option('--name <name>', "none = the file's")
    .action((file: string, { name }: { readonly name?: string }) => importImage(terminal, file, name))
  return command
}
