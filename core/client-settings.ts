import { Invalid } from './errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Where a client finds a cloud and who it is, in the variables that OpenStack's clients have. */
export interface ClientSettings {
  /** such as 'http://127.0.0.1:8774/identity/v3' */
  readonly authUrl: string
  readonly username: string
  readonly password: string
  readonly project: string
}

/** Whether the environment names a cloud. */
export function hasClientSettings(environment: Environment = process.env): boolean {
  return (environment.OS_AUTH_URL ?? '') !== ''
}

/** @throws Invalid naming the variable that is missing */
export function clientSettings(environment: Environment = process.env): ClientSettings {
  const required = (name: string): string => {
    const value = environment[name]
    if (value === undefined || value === '') throw new Invalid(`${name} is not set: eval "$(./berth env)" sets it`)
    return value
  }
  return {
    authUrl: required('OS_AUTH_URL'),
    username: required('OS_USERNAME'),
    password: required('OS_PASSWORD'),
    project: required('OS_PROJECT_NAME'),
  }
}
