/** Docker, Open vSwitch, registry and lxcfs of the test run. */
import { join } from 'node:path'
import { startDocker } from '../../machine/parts/docker.ts'
import { startLxcfs } from '../../machine/parts/lxcfs.ts'
import { kernelDatapath, startOpenVswitch } from '../../machine/parts/openvswitch.ts'
import { startRegistry } from '../../machine/parts/registry.ts'
import { registryAccessOf } from '../../machine/registry-keys.ts'
import { Registry } from '../../registry/registry.ts'
import { Sources } from '../../registry/sources.ts'
import type { ImageSources } from '../../driver/docker/images.ts'
import { supervisedRoom } from './room.ts'

/** What DockerDriver takes. */
export interface Engine {
  readonly socketPath: string
  readonly ociDirectory: string
  readonly runtime: string
  readonly cgroupParent: string
  readonly sources: ImageSources
}

export interface Switch {
  readonly socketPath: string
  readonly datapath: 'system' | 'netdev'
}

export async function docker(): Promise<Engine> {
  const { site, kept } = await supervisedRoom('docker')
  const { where } = await startDocker(site, kept)
  const sources = new Sources(new Registry(await registryAccessOf(site)), [])
  return {
    socketPath: where.replace(/^unix:\/\//, ''),
    ociDirectory: join(site.layout.run, 'oci'),
    runtime: 'berth',
    cgroupParent: `/${site.config.namePrefix}`,
    sources: (reference) => sources.of(reference),
  }
}

export async function openVswitch(): Promise<Switch> {
  const { site } = await supervisedRoom('ovs-vswitchd')
  const { where } = await startOpenVswitch(site)
  return { socketPath: where, datapath: kernelDatapath() ? 'system' : 'netdev' }
}

export async function registry(): Promise<Registry> {
  const { site } = await supervisedRoom('registry')
  return new Registry((await startRegistry(site)).access)
}

/** @returns the directory where it is mounted */
export async function lxcfs(): Promise<string> {
  const { site, kept } = await supervisedRoom('lxcfs')
  return (await startLxcfs(site, kept)).where
}
