import type { OpenCall, Reply } from '../route.ts'

function v3(root: string): Readonly<Record<string, unknown>> {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${root}/identity/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  }
}

export function allVersions({ root }: OpenCall): Reply {
  return { status: 300, body: { versions: { values: [v3(root)] } } }
}

export function version({ root }: OpenCall): Reply {
  return { status: 200, body: { version: v3(root) } }
}
