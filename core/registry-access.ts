import type { Config } from './config.ts'

/** How an OCI registry is reached. */
export interface RegistryAccess {
  /** host:port: what references begin with */
  readonly address: string
  readonly isSecure: boolean
  /** PEM of the authorities that its certificate may be of; null = those that the machine trusts */
  readonly ca: string | null
  /** null = it asks for none */
  readonly credentials: { readonly user: string; readonly password: string } | null
}

type Settings = Pick<
  Config,
  'registryUrl' | 'registryAddress' | 'registryPort' | 'registryCa' | 'registryUser' | 'registryPassword'
>

/** @param where host:port or an https:// URL: the registry itself, or a mirror, which is reached with the same credentials */
function accessAt(where: string, { registryCa, registryUser, registryPassword }: Settings): RegistryAccess {
  return {
    address: where.replace(/^https?:\/\//, '').replace(/\/+$/, ''),
    isSecure: where.startsWith('https://') || registryCa !== null,
    ca: registryCa,
    credentials: registryPassword === null ? null : { user: registryUser, password: registryPassword },
  }
}

export function registryAccess(settings: Settings): RegistryAccess {
  return accessAt(settings.registryUrl ?? `${settings.registryAddress}:${settings.registryPort}`, settings)
}

export function mirrorAccesses(settings: Settings & Pick<Config, 'registryMirrors'>): readonly RegistryAccess[] {
  return settings.registryMirrors.map((where) => accessAt(where, settings))
}
