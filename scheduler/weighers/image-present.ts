import type { Weigher } from '../question.ts'

/** A host that has the image need not pull it. */
export const imagePresent: Weigher =
  (_hosts, { imageHosts }) =>
  ({ name }) =>
    imageHosts.has(name) ? 1 : 0
