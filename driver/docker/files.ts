import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import type { GuestSpec } from '../driver.ts'

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

/** Files of a guest as a tar archive to be unpacked at its root. */
export async function filesArchive(files: GuestSpec['files']): Promise<Buffer> {
  const archive = pack()
  for (const { path, mode, content, owner } of [...directoriesOf(files), ...files]) {
    const uid = owner === 'debian' ? debianUid : 0
    const header = {
      name: path.slice(1),
      mode,
      uid,
      gid: uid,
      mtime: new Date(),
      type: path.endsWith('/') ? 'directory' : 'file',
    } as const
    archive.entry(header, typeof content === 'string' ? content : Buffer.from(content))
  }
  archive.finalize()
  return await buffer(archive)
}
