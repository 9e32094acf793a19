import type { PowerState, TaskState, VmState } from './states.ts'

/** The flavor as it was when the server was made: a later change of the flavor does not reach it. */
export interface ServerFlavor {
  readonly id: string
  readonly name: string
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
  /** absent = none, as of swap */
  readonly ephemeralGiB?: number
  readonly swapMiB?: number
  readonly extraSpecs: Readonly<Record<string, string>>
}

/** The user's row. A guest is its container on a host. */
export interface Server {
  readonly id: string
  readonly projectId: string
  readonly userId: string
  readonly name: string
  readonly hostname: string
  readonly description: string | null
  readonly vmState: VmState
  readonly taskState: TaskState | null
  readonly powerState: PowerState
  readonly host: string | null
  /** of its host, once it has one */
  readonly availabilityZone: string
  /** the zone that the user asked for: it is not to leave it */
  readonly pinnedZone: string | null
  /** the host that an administrator asked for */
  readonly requestedHost: string | null
  /** what the user told the scheduler, such as { same_host: [id] } */
  readonly hints: Readonly<Record<string, unknown>>
  readonly serverGroupId: string | null
  readonly flavor: ServerFlavor
  readonly imageId: string | null
  /** what its guest is made of: a registry reference by digest */
  readonly imageReference: string
  /** its image while it is shelved */
  readonly shelvedImageId: string | null
  /** what it runs while it is rescued, by digest */
  readonly rescueReference: string | null
  readonly keyName: string | null
  readonly publicKey: string | null
  /** base64, as the user gave it */
  readonly userData: string | null
  readonly metadata: Readonly<Record<string, string>>
  readonly configDrive: boolean
  readonly diskConfig: 'AUTO' | 'MANUAL'
  readonly accessIpv4: string | null
  readonly accessIpv6: string | null
  readonly tags: readonly string[]
  readonly lockedBy: string | null
  readonly lockedReason: string | null
  readonly reservationId: string
  readonly launchIndex: number
  /** hosts that failed to build it, with the reason */
  readonly failedHosts: Readonly<Record<string, string>>
  readonly launchedAt: Date | null
  readonly terminatedAt: Date | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly deletedAt: Date | null
}

/** What a vif has carried, as the guest sees it. */
export interface NicFigures {
  readonly device: string
  readonly mac: string
  readonly received: Traffic
  readonly sent: Traffic
}

/** What went one way, since the device is there. */
export interface Traffic {
  readonly bytes: number
  readonly packets: number
  readonly errors: number
  readonly dropped: number
}

/** What went wrong last. */
export interface Fault {
  readonly serverId: string
  readonly code: number
  readonly message: string
  readonly details: string
  readonly host: string | null
  readonly createdAt: Date
}
