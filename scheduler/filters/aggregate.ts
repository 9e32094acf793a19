import type { HostPlace } from '../../db/host-places.ts'
import type { Filter } from '../question.ts'

const prefix = 'aggregate_instance_extra_specs:'
const tenants = 'filter_tenant_id'

/** Several values may be allowed by commas, as Nova has it. */
function allows(value: string | undefined, wanted: string): boolean {
  return value?.split(',').some((one) => one.trim() === wanted) ?? false
}

function ownedByOthers(aggregates: HostPlace['aggregates'], projectId: string): string | null {
  const owned = aggregates.filter(({ metadata }) => Object.keys(metadata).some((key) => key.startsWith(tenants)))
  const isOurs = owned.some(({ metadata }) =>
    Object.entries(metadata).some(([key, value]) => key.startsWith(tenants) && allows(value, projectId)),
  )
  return owned.length === 0 || isOurs ? null : `aggregate ${owned[0]?.name ?? ''} is for other projects`
}

/**
 * A flavor may ask for hosts of an aggregate that says a certain thing; an aggregate may be for certain projects alone.
 * Source: nova's reference of the filters AggregateInstanceExtraSpecsFilter and AggregateMultiTenancyIsolation.
 */
export const aggregate: Filter = ({ server: { flavor, projectId } }) => {
  const asked = Object.entries(flavor.extraSpecs)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, wanted]) => ({ key: name.slice(prefix.length), wanted }))
  return ({ aggregates }) => {
    if (aggregates.length === 0 && asked.length === 0) return null
    const lack = asked.find(({ key, wanted }) => !aggregates.some(({ metadata }) => allows(metadata[key], wanted)))
    if (lack) return `none of its aggregates says ${lack.key}=${lack.wanted}, as flavor ${flavor.name} asks`
    return ownedByOthers(aggregates, projectId)
  }
}
