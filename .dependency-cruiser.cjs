/** Who may import whom; the same table stands, with its reasons, in docs/architecture.md. */
const ours =
  '^(core|migrations|db|ipam|jobs|scheduler|api|agent|audit|driver|netns|machine|images|registry|cli|bench|test)/'
const may = {
  core: [],
  migrations: [],
  db: ['core'],
  jobs: ['core', 'db'],
  ipam: ['core', 'db'],
  driver: ['core'],
  netns: ['core'],
  scheduler: ['core', 'db', 'ipam', 'jobs'],
  api: ['core', 'db', 'ipam', 'jobs', 'registry'],
  agent: ['core', 'db', 'ipam', 'jobs', 'driver', 'netns', 'registry'],
  audit: ['core', 'db', 'ipam', 'jobs', 'driver', 'netns', 'registry'],
  machine: ['core', 'db', 'ipam', 'migrations', 'jobs', 'images', 'registry', 'driver', 'netns'],
  images: ['core', 'registry'],
  registry: ['core'],
  cli: ['core'],
}
const only = (name, packages, folders, why) => ({
  name,
  comment: why,
  severity: 'error',
  from: { path: ours, pathNot: `^(${[...folders, 'test', 'bench'].join('|')})/` },
  to: { path: `node_modules/(${packages.join('|')})/` },
})
module.exports = {
  forbidden: [
    ...Object.entries(may).map(([folder, allowed]) => ({
      name: `${folder}-imports`,
      comment: `${folder} may import ${allowed.join(', ') || 'nothing'} of ours`,
      severity: 'error',
      from: { path: `^${folder}/` },
      to: { path: ours, pathNot: `^(${[folder, ...allowed].join('|')})/` },
    })),
    only('dockerode', ['dockerode'], ['driver'], 'only the driver knows Docker'),
    only('undici', ['undici'], ['registry'], 'only registry speaks to registries, which have authorities of their own'),
    only('netlink', ['netlink'], ['netns'], 'only netns knows links'),
    only('koffi', ['koffi'], ['netns', 'driver'], 'only netns and the driver call the kernel'),
    only('express', ['express'], ['api'], 'only the api has routes'),
    only('graphile-worker', ['graphile-worker'], ['jobs'], 'only jobs knows the queue'),
    only('sql', ['knex', 'pg'], ['db', 'ipam', 'jobs', 'migrations'], 'SQL has its homes'),
    { name: 'no-circular', severity: 'error', from: { path: ours }, to: { circular: true } },
    {
      name: 'test-is-a-leaf',
      severity: 'error',
      from: { path: ours, pathNot: '^(test|bench)/' },
      to: { path: '^(test|bench)/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
