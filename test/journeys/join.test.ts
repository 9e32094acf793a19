/**
 * A cloud and the machines beside it: what is refused changes nothing; guests and a machine of the building share a VLAN; a second machine
 * becomes a host, and is upgraded under its guests.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { z } from 'zod'
import type { Config } from '../../core/config.ts'
import { up } from '../../machine/up.ts'
import { Bridge } from '../../netns/bridge.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'
import { between, openSecondMachine, type SecondMachine } from '../world/second-machine.ts'
import { beyondNic, openMachineBeyond, type MachineBeyond } from '../world/machine-beyond.ts'
import { Client } from './client.ts'

let cloud: TestCloud
let berth: Client
beforeAll(async () => {
  cloud = await startCloud()
  berth = new Client(cloud, { command: 'berth' })
}, 300_000)

const joinWords = /agent join (\S+) (\S+)/
async function newToken(): Promise<string> {
  return joinWords.exec(await berth.run('host', 'token'))?.[2] ?? ''
}

/** `./berth agent join` with a home that is not there yet. */
async function joinAt(home: string, ...words: readonly string[]): Promise<{ text: string; exitCode: number }> {
  const env = { PATH: [dirname(process.execPath), process.env.PATH].join(':'), BERTH_HOME: home }
  const options = { env, extendEnv: false, all: true, reject: false, timeout: 60_000 } as const
  const { all, exitCode } = await execa('./berth', ['agent', 'join', ...words], options)
  return { text: all, exitCode: exitCode ?? -1 }
}

async function refusedWith(words: readonly string[], reason: string): Promise<void> {
  const home = join(cloud.site.layout.home, 'tmp', `refused-${randomUUID()}`)
  const { text, exitCode } = await joinAt(home, ...words)
  expect(text).toContain(reason)
  expect(exitCode).not.toBe(0)
  expect(existsSync(home)).toBe(false)
}

test('a wrong URL, a server that is no cloud, a bad token and a NIC that is not there are refused, and nothing is changed', async () => {
  await refusedWith(['10.9.0.1', 'x'], '10.9.0.1 is not a URL')
  await refusedWith(['http://127.0.0.1:1', 'x'], 'the API does not answer at 127.0.0.1:1')
  const other = createServer((_request, response) => response.writeHead(404).end('<html>'))
  await new Promise((resolve) => other.listen(0, '127.0.0.1', () => resolve(null)))
  const address = z.object({ port: z.number() }).parse(other.address())
  await refusedWith([`http://127.0.0.1:${address.port}`, 'x'], 'is no cloud that can be joined')
  other.close()
  await refusedWith([cloud.url, 'guessed', '--name', 'far'], 'is unknown, was used, or has expired')
  await refusedWith([cloud.url, 'guessed', '--uplink', 'nic9'], 'no such NIC')
}, 120_000)

/** The newest line of one ssh session that says something five times a second, and the longest silence between two. */
interface Stream {
  readonly longestSilenceMs: () => number
  readonly isOpen: () => boolean
  readonly end: () => void
}

async function listen(address: string): Promise<Stream> {
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'BatchMode=yes']
  const words = ['-i', cloud.sshKeyPath, ...options.flatMap((one) => ['-o', one]), `root@${address}`]
  const session = spawn('ssh', [...words, 'while sleep 0.2; do echo here; done'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let [last, longest] = [0, 0]
  session.stdout.on('data', () => {
    const now = performance.now()
    if (last > 0) longest = Math.max(longest, now - last)
    last = now
  })
  await until(() => last > 0, { timeoutMs: 30_000, what: `a session with ${address}` })
  return {
    longestSilenceMs: () => Math.max(longest, performance.now() - last),
    isOpen: () => session.exitCode === null && session.signalCode === null,
    end: () => session.kill('SIGKILL'),
  }
}

/** The whole way takes minutes: ./berth test faults has it. */
const isFull = process.env.BERTH_TEST_FAULTS === 'full'

if (isFull)
  describe('a machine of the building', () => {
    const [vlan, itsAddress] = [700, '10.78.0.200']
    let openstack: Client
    let machine: MachineBeyond
    let address: string

    beforeAll(async () => {
      openstack = new Client(cloud)
      machine = await openMachineBeyond(cloud.site, { vlan, address: `${itsAddress}/24` })
      await up({ ...cloud.site.config, uplink: beyondNic }, { hello: false })
      await berth.run('pool', 'create', 'dock', '10.78.0.0/24', '--vlan', String(vlan))
      await openstack.run('security', 'group', 'create', 'ssh')
      await openstack.run('security', 'group', 'rule', 'create', '--protocol', 'tcp', '--dst-port', '22', 'ssh')
      const keyFile = join(cloud.site.layout.home, 'tmp', 'beyond.pub')
      await writeFile(keyFile, cloud.publicKey)
      await openstack.run('keypair', 'create', '--public-key', keyFile, 'beyond')
      const words = ['--image', 'debian-12-small', '--flavor', 'm1.tiny', '--key-name', 'beyond', '--network', 'dock']
      await openstack.run('server', 'create', ...words, '--security-group', 'ssh', '--wait', 'docked')
      const shown = await openstack.value('addresses', 'server', 'show', 'docked')
      address = shown.replace(/^.*?(\d+\.\d+\.\d+\.\d+).*$/s, '$1')
    }, 300_000)
    afterAll(async () => {
      await openstack.run('server', 'delete', '--wait', 'docked')
      await openstack.run('network', 'delete', 'dock')
      await openstack.run('security', 'group', 'delete', 'ssh')
      await openstack.run('keypair', 'delete', 'beyond')
      await up(cloud.site.config, { hello: false })
      await machine.end()
      expect(await cloud.audit()).toEqual([])
    }, 300_000)

    const banner = async (): Promise<string | null> =>
      await machine.run('timeout', '5', 'bash', '-c', `head -c 3 </dev/tcp/${address}/22`)
    const isReached = async (): Promise<void> => {
      await until(async () => (await banner()) === 'SSH', { timeoutMs: 120_000, what: `${address} from beyond` })
    }

    test('it reaches a guest of its VLAN, and from another VLAN it does not', async () => {
      await isReached()
      await machine.moveTo(vlan + 1)
      expect(await banner()).toBeNull()
      await machine.moveTo(vlan)
      await isReached()
    }, 300_000)

    test('a guest of its VLAN reaches it', async () => {
      const server = `require('node:net').createServer((s) => { s.end('beyond') }).listen(7000)`
      const listening = machine.run('timeout', '60', process.execPath, '-e', server)
      const words = `timeout 5 bash -c 'cat </dev/tcp/${itsAddress}/7000'`
      const heard = async (): Promise<boolean> => (await openstack.ssh(address, words)) === 'beyond'
      await until(heard, { timeoutMs: 55_000, what: 'the machine beyond from the guest' })
      await listening
    }, 300_000)

    test('a NIC that vanishes is told with its host, whose servers are looked after; when it is back, so is the way', async () => {
      const docker = async (...words: readonly string[]): Promise<string> => {
        const engine = `unix://${join(cloud.site.layout.run, 'docker.sock')}`
        return (await execa('docker', ['-H', engine, ...words], { timeout: 30_000 })).stdout
      }
      const rename = async (from: string, to: string): Promise<void> => {
        await execa('ip', ['link', 'set', from, 'down'])
        await execa('ip', ['link', 'set', from, 'name', to])
      }
      const isTold = async (): Promise<boolean> =>
        (await berth.run('host', 'list', '--json')).includes(`uplink ${beyondNic}: there is no such device`)
      const id = await docker('ps', '--quiet', '--filter', 'label=berth.server')
      await rename(beyondNic, 'gone0')
      await docker('pause', id)
      await until(isTold, { timeoutMs: 60_000, what: 'the trouble of the host' })
      const runsAgain = async (): Promise<boolean> =>
        (await docker('inspect', '--format', '{{.State.Paused}}', id)) === 'false'
      await until(runsAgain, { timeoutMs: 120_000, what: 'a guest that was frozen' })
      await rename('gone0', beyondNic)
      await until(async () => !(await isTold()), { timeoutMs: 60_000, what: 'a host without trouble' })
      await isReached()
    }, 400_000)
  })

if (isFull)
  describe('a second machine', () => {
    let machine: SecondMachine
    let openstack: Client
    let url: string
    let token: string
    let first: Config

    beforeAll(async () => {
      machine = await openSecondMachine(cloud.site)
      const { config } = cloud.site
      url = `http://${between.first}:${config.apiPort}`
      const addresses = { postgresAddress: between.first, registryAddress: between.first }
      const listening = { listenAddress: '0.0.0.0', publicUrl: url, ...addresses }
      first = { ...config, ...listening, uplink: between.uplink, gateways: 'all' }
      await up(first, { hello: false })
      openstack = new Client(cloud)
      const keyFile = join(cloud.site.layout.home, 'tmp', 'join.pub')
      await writeFile(keyFile, cloud.publicKey)
      await openstack.run('keypair', 'create', '--public-key', keyFile, 'join')
      token = await newToken()
    }, 300_000)
    afterAll(async () => {
      const names = (await openstack.run('server', 'list', '-f', 'value', '-c', 'Name')).split('\n').filter(Boolean)
      if (names.length > 0) await openstack.run('server', 'delete', '--wait', ...names)
      await openstack.try('keypair', 'delete', 'join')
      await machine.run('./berth', 'down', '--purge')
      await machine.end()
      const { config, layout } = cloud.site
      const bridge = new Bridge(join(layout.run, 'openvswitch', 'db.sock'), config.bridge, config.namePrefix)
      await bridge.remove(between.uplink)
      bridge.close()
      // Its address among the hosts went with its cable: from here on the catalog names the first one again.
      await up(cloud.site.config, { hello: false })
      const service = ['--os-compute-api-version', '2.53', 'compute', 'service'] as const
      const id = await openstack.run(...service, 'list', '--host', 'far', '-f', 'value', '-c', 'ID')
      if (id !== '') await openstack.run(...service, 'delete', id)
      expect(await cloud.audit()).toEqual([])
    }, 300_000)

    const joinIt = (...words: readonly string[]): ReturnType<SecondMachine['run']> =>
      machine.run('./berth', 'agent', 'join', url, token, '--name', 'far', ...words)

    async function addressOf(name: string): Promise<string> {
      const shown = await openstack.value('addresses', 'server', 'show', name)
      return shown.replace(/^.*?(\d+\.\d+\.\d+\.\d+).*$/s, '$1')
    }

    async function create(name: string, host: string): Promise<string> {
      const words = ['--image', 'debian-12-small', '--flavor', 'm1.tiny', '--key-name', 'join', '--network', 'private']
      const placed = [...words, '--host', host, '--wait', name]
      await openstack.run('--os-compute-api-version', '2.74', 'server', 'create', ...placed)
      const address = await addressOf(name)
      expect(await until(() => openstack.ssh(address, 'hostname'), { timeoutMs: 60_000 })).toBe(name)
      return address
    }

    test('a database that the machine cannot reach is named before the token is used', async () => {
      const port = String(cloud.site.config.postgresPort)
      await machine.run('ip', 'rule', 'add', 'ipproto', 'tcp', 'dport', port, 'prohibit')
      const { text, exitCode } = await joinIt()
      await machine.run('ip', 'rule', 'del', 'ipproto', 'tcp', 'dport', port, 'prohibit')
      expect(text).toContain(`the database does not answer at ${between.first}:${port}`)
      expect([exitCode === 0, existsSync(join(machine.home, 'berth.yaml'))]).toEqual([false, false])
    }, 120_000)

    test('a second machine joins by one command, and a server there answers ssh', async () => {
      const { text, exitCode } = await joinIt('--uplink', between.farUplink, '--rack', 'r2')
      expect([exitCode, text]).toEqual([0, expect.stringContaining('[Unit]')])
      expect(await berth.run('host', 'list')).toMatch(/^far +up +nova +r2 /m)
      await create('away', 'far')
    }, 400_000)

    test('a used token, and a home that is of a cloud already, are refused', async () => {
      await refusedWith([url, token, '--name', 'further'], 'is unknown, was used, or has expired')
      const again = await joinIt()
      expect([again.exitCode === 0, again.text]).toEqual([false, expect.stringContaining('is of a cloud already')])
    }, 120_000)

    async function guest(): Promise<string> {
      const socket = `unix://${join(machine.home, 'run', 'docker.sock')}`
      const { text: ids } = await machine.run('docker', '-H', socket, 'ps', '--quiet', '--filter', 'label=berth.server')
      const format = '{{.State.Pid}} {{.State.StartedAt}}'
      return (await machine.run('docker', '-H', socket, 'inspect', '--format', format, ...ids.split('\n'))).text
    }
    const agentOf = async (home: string): Promise<string> => await readFile(join(home, 'run', 'agent.ready'), 'utf8')

    test('both are upgraded in place: agents are started of newer code, guests and ssh sessions go on', async () => {
      const streams = [await listen(await addressOf('away')), await listen(await create('here', first.hostName))]
      const homes = [machine.home, cloud.site.layout.home]
      const [agents, before] = [await Promise.all(homes.map(agentOf)), await guest()]
      await appendFile(join(machine.clone, 'agent', 'main.ts'), '\n// A newer version.\n')
      const { exitCode, text } = await machine.run('./berth', 'up', '--no-hello')
      expect([exitCode, text]).toEqual([0, expect.stringContaining('agent')])
      await up({ ...first, logLevel: 'debug' }, { hello: false })
      const after = await Promise.all(homes.map(agentOf))
      expect(after.map((pid, index) => pid === agents[index])).toEqual([false, false])
      expect(await guest()).toBe(before)
      expect(streams.map(({ isOpen }) => isOpen())).toEqual([true, true])
      for (const { longestSilenceMs } of streams) expect(longestSilenceMs()).toBeLessThan(10_000)
      for (const { end } of streams) end()
      expect(await berth.run('host', 'list')).toMatch(/^far +up /m)
    }, 300_000)
  })
