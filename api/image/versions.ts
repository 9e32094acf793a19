/** Which versions of the image API there are. */
import type { OpenCall, Reply } from '../route.ts'

const versions = ['v2.9', 'v2.7', 'v2.6', 'v2.5', 'v2.4', 'v2.3', 'v2.2', 'v2.1', 'v2.0'] as const

function versionList(root: string): unknown {
  const links = [{ rel: 'self', href: `${root}/image/v2/` }]
  return { versions: versions.map((id, place) => ({ id, status: place === 0 ? 'CURRENT' : 'SUPPORTED', links })) }
}

/** Glance answers its root with 300, and /versions with 200. */
export function root({ root: href }: OpenCall): Reply {
  return { status: 300, body: versionList(href) }
}

export function allVersions({ root: href }: OpenCall): Reply {
  return { status: 200, body: versionList(href) }
}
