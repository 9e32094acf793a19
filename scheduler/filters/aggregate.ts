import type { Filter } from '../question.ts'

const prefix = 'aggregate_instance_extra_specs:'
const tenants = 'filter_tenant_id'

/** Several values may be allowed by commas, as Nova has it. */
function allows(value: string | undefined, wanted: string): boolean {
  return value?.split(',').some((one) => one.trim() === wanted) ?? false
}

/**
 * A flavor may ask for hosts of an aggregate that says a certain thing; an aggregate may be for certain projects alone.
 * Source: nova's reference of the filters AggregateInstanceExtraSpecsFilter and AggregateMultiTenancyIsolation.
 */
export const aggregate: Filter = ({ aggregates }, { server: { flavor, projectId } }) => {
  for (const [name, wanted] of Object.entries(flavor.extraSpecs)) {
    if (!name.startsWith(prefix)) continue
    const key = name.slice(prefix.length)
    if (!aggregates.some(({ metadata }) => allows(metadata[key], wanted)))
      return `none of its aggregates says ${key}=${wanted}, as flavor ${flavor.name} asks`
  }
  const owned = aggregates.filter(({ metadata }) => Object.keys(metadata).some((key) => key.startsWith(tenants)))
  const isOurs = owned.some(({ metadata }) =>
    Object.entries(metadata).some(([key, value]) => key.startsWith(tenants) && allows(value, projectId)),
  )
  return owned.length === 0 || isOurs ? null : `aggregate ${owned[0]?.name ?? ''} is for other projects`
}
