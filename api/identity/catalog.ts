/** The services of this cloud and where they are, as a token tells. */
import { listCatalogue, type CatalogueEntry } from '../../db/identity/catalogue.ts'
import type { OpenCall } from '../route.ts'

/** A URL of a service, as the catalogue has it. */
export interface Endpoint {
  readonly id: string
  readonly interface: string
  readonly region: string | null
  readonly region_id: string | null
  readonly url: string
}

/** An entry of the catalogue. */
export interface Service {
  readonly id: string
  readonly type: string
  readonly name: string
  readonly endpoints: readonly Endpoint[]
}

/** In whose name the catalogue is asked for. */
interface Asker {
  readonly userId: string
  readonly projectId: string | null
}

/**
 * A URL with its placeholders filled in; `$(public_endpoint)s` is where the client found this API.
 *
 * @returns null when one of them has no value, such as the project of a token that has none
 */
function urlOf(template: string, root: string, { userId, projectId }: Asker): string | null {
  const values: Readonly<Record<string, string | null>> = {
    public_endpoint: root,
    user_id: userId,
    project_id: projectId,
    tenant_id: projectId,
  }
  const placeholders = /[$%]\((\w+)\)s/g
  const isWhole = [...template.matchAll(placeholders)].every(([, name = '']) => (values[name] ?? null) !== null)
  return isWhole ? template.replace(placeholders, (_, name: string) => values[name] ?? '') : null
}

function endpointOf(entry: CatalogueEntry, root: string, asker: Asker): readonly Endpoint[] {
  const url = entry.endpointId === null ? null : urlOf(entry.url, root, asker)
  if (entry.endpointId === null || url === null) return []
  const { endpointId: id, interface: kind, regionId } = entry
  return [{ id, interface: kind, region: regionId, region_id: regionId, url }]
}

export async function catalog({ db, root }: OpenCall, asker: Asker): Promise<readonly Service[]> {
  const services = Map.groupBy(await listCatalogue(db), ({ serviceId }) => serviceId)
  return [...services.values()].flatMap((entries) => {
    const [first] = entries
    if (!first) return []
    const { serviceId: id, serviceType: type, serviceName: name } = first
    return [{ id, type, name, endpoints: entries.flatMap((entry) => endpointOf(entry, root, asker)) }]
  })
}
