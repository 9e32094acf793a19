/** What an application credential may ask for: a method and a path of a service; `*` is one part of a path, `**` any number. */
export interface AccessRule {
  readonly id: string
  readonly service: string
  readonly method: string
  readonly path: string
}
