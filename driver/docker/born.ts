/** What a container was made for, on its label: the namespaces that it joins at each start. */
import { dirname } from 'node:path'
import { z } from 'zod'
import type { Inspected } from './guest.ts'

export const namespacesLabel = 'berth.namespaces'

const namespaces = z.object({ netns: z.string(), userns: z.string().nullable(), systemdCgroup: z.boolean() })
export type Born = z.output<typeof namespaces>

export function bornOf(found: Inspected): Born {
  return namespaces.parse(JSON.parse(found.Config.Labels[namespacesLabel] ?? '{}'))
}

/** Whether the namespaces of a container with these labels stand in `directory`. */
export function isBornIn(directory: string, labels: Readonly<Record<string, string>>): boolean {
  const label = labels[namespacesLabel]
  return label !== undefined && dirname(namespaces.parse(JSON.parse(label)).netns) === directory
}
