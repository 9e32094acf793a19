/** Neutron's times: whole seconds. */
export function seconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}
