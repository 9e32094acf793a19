/** The files that a guest finds at its first boot. */
import { posix } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type Docker from 'dockerode'
import { pack } from 'tar-stream'
import { Invalid } from '../../core/errors.ts'
import type { GuestSpec } from '../driver.ts'
import { writeToLayer, type Layers, type OwnedFile } from './upper.ts'

/** The image's default user; source: images/common/hook.sh, where it is the first that useradd makes. */
const debianUid = 1000

/** Directories that must not be made anew with root's default mode. */
function directoriesOf(files: GuestSpec['files']): GuestSpec['files'] {
  const wanted = files.filter(({ path }) => path.endsWith('/.ssh/authorized_keys'))
  return wanted.map(({ path, owner }) => ({
    path: path.slice(0, path.lastIndexOf('/') + 1),
    mode: 0o700,
    content: '',
    owner,
  }))
}

function owned(files: GuestSpec['files']): readonly OwnedFile[] {
  return [...directoriesOf(files), ...files].map(({ owner, ...file }) => ({
    ...file,
    uid: owner === 'debian' ? debianUid : 0,
  }))
}

/** A tar archive to be unpacked at the guest's root. */
async function archiveOf(files: readonly OwnedFile[]): Promise<Buffer> {
  const archive = pack()
  for (const { path, mode, content, uid } of files) {
    const type = path.endsWith('/') ? 'directory' : 'file'
    const header = { name: path.slice(1), mode, uid, gid: uid, mtime: new Date(), type } as const
    archive.entry(header, typeof content === 'string' ? content : Buffer.from(content))
  }
  archive.finalize()
  return await buffer(archive)
}

/**
 * @param layers of the container, which has never run; null where they cannot be written to
 * @throws Invalid for a path that is not absolute or not plain
 */
export async function putFiles(
  container: Docker.Container,
  files: GuestSpec['files'],
  layers: Layers | null,
): Promise<void> {
  for (const { path } of files)
    if (!path.startsWith('/') || posix.normalize(path) !== path)
      throw new Invalid(`'${path}' is no plain path for a file of a guest.`)
  const all = owned(files)
  if (layers && (await writeToLayer(layers, all))) return
  await container.putArchive(await archiveOf(all), { path: '/' })
}
