export { contains } from '../../ipam/subnet.ts'

export function isIpv4(cidr: string): boolean {
  return !cidr.includes(':')
}
