import type { Filter } from '../question.ts'

/** For clouds whose hosts may not pull when a server is made: images are brought to them beforehand. */
export const imagePresent: Filter =
  ({ imageHosts }) =>
  (host) =>
    imageHosts.has(host.name) ? null : 'it has not the image'
