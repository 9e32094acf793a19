/** What compute speaks, told to anybody. */
import { highest } from '../microversion.ts'
import type { OpenCall, Reply } from '../route.ts'

interface Version {
  readonly id: string
  readonly status: string
  readonly version: string
  readonly min_version: string
  readonly updated: string
  readonly links: readonly unknown[]
}

function v20(root: string): Version {
  const links = [{ rel: 'self', href: `${root}/compute/v2/` }]
  return { id: 'v2.0', status: 'SUPPORTED', version: '', min_version: '', updated: '2011-01-21T11:33:21Z', links }
}

function v21(root: string): Version {
  return {
    id: 'v2.1',
    status: 'CURRENT',
    version: `2.${highest}`,
    min_version: '2.1',
    updated: '2013-07-23T11:33:21Z',
    links: [{ rel: 'self', href: `${root}/compute/v2.1/` }],
  }
}

function one(version: Version, type: string): Reply {
  const described = { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' }
  const media = [{ base: 'application/json', type }]
  return { status: 200, body: { version: { ...version, links: [...version.links, described], 'media-types': media } } }
}

export function allVersions({ root }: OpenCall): Reply {
  return { status: 200, body: { versions: [v20(root), v21(root)] } }
}

export function oldVersion({ root }: OpenCall): Reply {
  return one(v20(root), 'application/vnd.openstack.compute+json;version=2')
}

export function currentVersion({ root }: OpenCall): Reply {
  return one(v21(root), 'application/vnd.openstack.compute+json;version=2.1')
}
