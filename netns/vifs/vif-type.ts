import type { z } from 'zod'
import type { Vif } from '../../core/network.ts'

/** A way to connect a guest to its network. Adding one: a file here, a line in index.ts, the contract suite on it. */
export interface VifType<D> {
  readonly name: string
  readonly details: z.ZodType<D>
  /** Frames pass between the guest and its network when this returns. Twice is as once; what a crash left half-done is made whole. */
  plug(vif: Vif, details: D, netnsPath: string): Promise<void>
  /** Unplugging what is not plugged succeeds. */
  unplug(portId: string, details: D): Promise<void>
  /**
   * Asks the kernel and the switch, not only a database, of what is the host's: the device and where its other end is, MTU, MAC, tag.
   * What the guest changed inside does not count.
   */
  isPlugged(vif: Vif, details: D, netnsPath: string): Promise<boolean>
}
