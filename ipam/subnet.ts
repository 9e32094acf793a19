/** What allocation needs to know of a subnet. A row of `subnets` fits. */
export interface Subnet {
  readonly id: string
  /** such as '10.0.4.0/22' */
  readonly cidr: string
  /** null on an isolated subnet */
  readonly gateway: string | null
}

export interface Range {
  readonly first: string
  readonly last: string
}
