/**
 * Jest runs tests in a realm of their own, where an error thrown by Node itself (a missing file, a closed socket) is no
 * `instanceof Error`. Outside of jest it is, and the code under test may rely on it.
 */
import { types } from 'node:util'

const ordinary = Object.getOwnPropertyDescriptor(Function.prototype, Symbol.hasInstance)

Object.defineProperty(Error, Symbol.hasInstance, {
  value(this: unknown, thrown: unknown): unknown {
    return this === Error && types.isNativeError(thrown) ? true : ordinary?.value.call(this, thrown)
  },
})
