/**
 * The real parts, for tests: each is started when a test first asks for it, and serves all that ask after. They run under the home
 * of the test run, so `./berth test` ends and removes them.
 */
export { until } from './until.ts'
export { room } from './room.ts'
export { freshDatabase, postgresUrl, type TestDatabase } from './database.ts'
export { docker, lxcfs, openVswitch, registry, type Engine, type Switch } from './engines.ts'
export { guestImage } from './guest-image.ts'
export { startCloud, type TestCloud } from './cloud.ts'
