/**
 * Jest runs tests in a realm of their own, where an error thrown by Node itself (a missing file, a closed socket) is no
 * `instanceof Error`. Outside of jest it is, and the code under test may rely on it.
 */
function isError(thrown: unknown): boolean {
  return Object.prototype.toString.call(thrown) === '[object Error]'
}

function isInstance(type: { readonly prototype: object }, thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && Object.prototype.isPrototypeOf.call(type.prototype, thrown)
}

Object.defineProperty(Error, Symbol.hasInstance, {
  value(this: ErrorConstructor, thrown: unknown): boolean {
    return isInstance(this, thrown) || (this === Error && isError(thrown))
  },
})

export {}
