import { findNamespace, listNamespaces, removeNamespace } from '../../netns/namespace.ts'
import type { Check, Drift } from '../check.ts'

export const namespaces: Check = {
  name: 'namespaces',
  holds: 'each namespace is of a server of this host, and whole',
  run({ namespaces: settings, servers, leaving }) {
    const known = new Map(servers.map((server) => [server.id, server]))
    const drift = listNamespaces(settings).flatMap((name): readonly Drift[] => {
      const server = known.get(name)
      const remove = { remedy: 'it is removed', repair: () => removeNamespace(settings, name) }
      if (leaving.has(name)) return []
      if (!server) return [{ text: `namespace ${name} is of no server of this host`, ...remove }]
      if (findNamespace(settings, name) || server.taskState !== null || server.vmState !== 'active') return []
      return [{ text: `namespace ${name} is not whole`, advice: 'a hard reboot makes it anew' }]
    })
    return Promise.resolve(drift)
  },
}
