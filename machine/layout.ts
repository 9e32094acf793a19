/** Where everything of a cloud stands under its home. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Directories and files of one home. */
export interface Layout {
  readonly home: string
  readonly run: string
  readonly log: string
  readonly keys: string
  readonly project: string
  readonly supervisorSocket: string
}

export function layoutOf(home: string): Layout {
  return {
    home,
    run: join(home, 'run'),
    log: join(home, 'log'),
    keys: join(home, 'keys'),
    project: fileURLToPath(new URL('..', import.meta.url)),
    supervisorSocket: join(home, 'run', 'supervisor.sock'),
  }
}

/** Finished guest images: outside of the home, since every home of this machine can use them. */
export const imageCache = '/var/cache/berth/images'
